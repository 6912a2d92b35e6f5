package resources

import (
	"context"
	"errors"
	"strings"

	"github.com/SKaiNET-developers/benchctl/internal/host"
)

// toolCache is where setup actions put tools: NAME/VERSION/ARCH, and a file
// ARCH.complete beside that. Source: tool-cache of actions/toolkit.
const toolCache = "_tool"

// tools lists the versions of tools that nobody has used for too long. An action
// that finds a tool changes nothing about it, so being read counts as use.
func (c cleanup) tools(ctx context.Context, r host.Reader, top place) (found []leaving, err error) {
	if c.spec.Cleanup.Tools == 0 {
		return nil, nil
	}
	cache := top.in(toolCache)
	names, err := cache.list(r)
	for _, name := range names {
		versions, failed := cache.in(name.Name).list(r)
		err = errors.Join(err, failed)
		for _, v := range versions {
			l, old, failed := c.oldTool(ctx, r, cache.in(name.Name).in(v.Name), v)
			if err = errors.Join(err, failed); old {
				found = append(found, l)
			}
		}
	}
	return found, err
}

// oldTool judges one version. What root put there stays.
func (c cleanup) oldTool(ctx context.Context, r host.Reader, at place, v host.Entry) (l leaving, old bool, err error) {
	switch age := c.now().Sub(v.Changed()); {
	case strings.HasPrefix(v.Name, host.GonePrefix):
		return cutOff(at, c.field(at)), true, nil
	case v.UID == 0 || !v.IsDir() || age < c.spec.Cleanup.Tools:
		return l, false, nil
	}
	tree, err := measure(ctx, r, at)
	unused := c.now().Sub(later(tree.Changed, tree.Read))
	if err != nil || tree.Files == 0 || unused < c.spec.Cleanup.Tools {
		return l, false, err
	}
	return leaving{places: []place{at}, field: c.field(at), why: "unused for " + unusedFor(unused), tree: tree}, true, nil
}
