// Package adopt writes the runner.yaml of a runner that somebody else set up, by
// hand or with GitHub's own scripts: what is on the host, what GitHub says, and
// as a comment at each line where it comes from and what would be better. Nothing
// is changed. What the runner's user can write is a claim, and ends in the file
// only as what a spec takes.
package adopt

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/github/actions"
	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/resources"
	"github.com/SKaiNET-developers/benchctl/spec"
)

// GitHub is what import asks of GitHub.
type GitHub interface {
	Runner(ctx context.Context, id int64) (actions.Runner, error)
	Groups(ctx context.Context, age time.Duration) ([]actions.Group, error)
}

// Choose returns the directory of the runner to import: the one that was named,
// else the only one that a unit starts, else the only one that lies around.
func Choose(r host.Reader, named string) (string, error) {
	if named != "" {
		if !path.IsAbs(named) {
			return "", fmt.Errorf("cannot import the runner in %s: write the whole path, from /", named)
		}
		return path.Clean(named), nil
	}
	var dirs []string
	for _, f := range resources.Find(r) {
		if path.IsAbs(f.Dir) {
			dirs = append(dirs, path.Clean(f.Dir))
		}
	}
	if len(dirs) == 0 {
		dirs = resources.Strays(r)
	}
	slices.Sort(dirs)
	switch dirs = slices.Compact(dirs); len(dirs) {
	case 0:
		return "", fmt.Errorf("cannot import: no runner was found on this host (no unit that starts one, no .runner in the usual places); name its directory with --install-dir, or write a spec and let benchctl apply set one up")
	case 1:
		return dirs[0], nil
	}
	return "", fmt.Errorf("cannot tell which runner to import: there are those in %s; name one with --install-dir, since a benchmark host has one", strings.Join(each(dirs, tidy), " and "))
}

// A View is what GitHub says of the runner.
type View struct {
	Seen    bool     `json:"seen"`          // GitHub has it, by that id and name
	Why     string   `json:"why,omitempty"` // it was not seen
	Labels  []string `json:"labels,omitempty"`
	Group   string   `json:"group,omitempty"` // "" where the scope has none
	Version string   `json:"version,omitempty"`
}

// Ask asks GitHub about a runner. gh is nil when nobody is to be asked, and why
// says for what reason.
func Ask(ctx context.Context, gh GitHub, s *resources.Survey, why string) View {
	if gh == nil {
		return View{Why: why}
	}
	at, err := gh.Runner(ctx, s.Registration.ID)
	switch {
	case err != nil:
		return View{Why: err.Error()}
	case !strings.EqualFold(at.Name, s.Registration.Name):
		return View{Why: fmt.Sprintf("GitHub's runner %d is called %s, not %s", at.ID, at.Name, s.Registration.Name)}
	}
	v := View{Seen: true, Version: at.Version}
	for _, l := range at.Labels {
		v.Labels = append(v.Labels, l.Name)
	}
	if u, err := spec.ParseURL(s.Registration.URL); err == nil && u.Scope != spec.Repository {
		groups, _ := gh.Groups(ctx, 0) // without an answer it is where `.runner` says
		for _, g := range groups {
			if g.ID == at.GroupID {
				v.Group = g.Name
			}
		}
	}
	return v
}
