package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/SKaiNET-developers/benchctl/reconcile"
)

// selected keeps the order of the resources and drops those that --only leaves
// out, which may name kinds and ids.
func selected(all []reconcile.Resource, only []string) ([]reconcile.Resource, error) {
	if len(only) == 0 {
		return all, nil
	}
	var kinds, names []string
	var some []reconcile.Resource
	for _, r := range all {
		kind, id := r.ID().Kind, r.ID().String()
		kinds, names = append(kinds, kind), append(names, kind, id)
		if slices.Contains(only, kind) || slices.Contains(only, id) {
			some = append(some, r)
		}
	}
	for _, name := range only {
		if !slices.Contains(names, name) {
			kinds = slices.Compact(kinds)
			return nil, fmt.Errorf("cannot look only at %q: %sthe kinds of this spec are %s", name, keyHint(name, kinds), strings.Join(kinds, ", "))
		}
	}
	return some, nil
}

// keyKinds are the kinds that look after the keys of a spec which are no kind
// themselves: people name what they wrote.
var keyKinds = map[string][]string{
	"governor": {"cpufreq"}, "schedule": {"agent"}, "gate": {"hooks"}, "github": {"config"}, "installDir": {"tarball"},
	"runner": {"tarball", "config", "env"}, "url": {"config"}, "version": {"tarball"}, "labels": {"config"}, "group": {"config"},
	"name": {"config"}, "archive": {"tarball"}, "sha256": {"tarball"}, "workDir": {"tarball"}, "ephemeral": {"config"}, "autoUpdate": {"config"},
	"needs": {"service", "sysctl"}, "cpus": {"service"}, "directives": {"service"},
}

// keyHint says which kinds somebody means who names a key, if there are any.
func keyHint(name string, kinds []string) string {
	meant := slices.DeleteFunc(slices.Clone(keyKinds[strings.TrimPrefix(name, "runner.")]), func(k string) bool { return !slices.Contains(kinds, k) })
	if len(meant) == 0 {
		return ""
	}
	return fmt.Sprintf("that is a key of the spec and no kind; say --only %s, or another: ", strings.Join(meant, ","))
}
