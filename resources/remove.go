package resources

import (
	"context"
	"fmt"
	"io/fs"
	"path"

	"github.com/SKaiNET-developers/benchctl/internal/expect"
	"github.com/SKaiNET-developers/benchctl/internal/github/actions"
	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/internal/originals"
	"github.com/SKaiNET-developers/benchctl/reconcile"
)

// RemoveOptions are what a removal needs beside what is on the host.
type RemoveOptions struct {
	GitHub  GitHub              // nil without API credentials
	Token   actions.Secret      // a pasted removal token, or ""
	Getenv  func(string) string // asked for proxies alone
	Offline bool                // never talk to GitHub
	Purge   bool                // directories, account and packages too
}

// Removal lowers what is on a host to resources that are in step when it is
// gone: the engine takes it apart as it puts it together. It runs backwards
// through the kinds, with two exceptions: the agent, which would put everything
// back, is the first of all; and the registration goes before the unit, since
// that is by what a removal that was killed finds the runner again.
func Removal(r host.Reader, f *Setup, o RemoveOptions) ([]reconcile.Resource, error) {
	book, err := originals.Load(r)
	if err != nil {
		return nil, err
	}
	apt := NewApt()
	all := []reconcile.Resource{
		noAgent{},
		newNoConfig(f, o),
		noService{f},
		traces{kind: "hooks", needs: []string{"service"}, find: found(hooksDir, expect.Current)},
	}
	for _, kind := range book.Kinds() {
		all = append(all, forsaken{Released{knobOf(kind)}})
	}
	all = append(all, traces{kind: "jdk", needs: []string{"service"}, find: jdkTraces})
	if o.Purge {
		all = append(all,
			&noPackages{names: f.brought.Packages, apt: apt},
			noTrees{f},
			noUser{f},
		)
	}
	if f.brought.Binary != "" { // only once it is not needed to go on
		all = append(all, traces{kind: "hooks", name: "benchctl", needs: everything, find: found(f.brought.Binary)})
	}
	return append(all, noState{f, o.Purge}), nil
}

// everything is what has to be gone before that goes by which a removal goes on.
var everything = []string{"agent", "config", "service", "hooks", "cpufreq", "sysctl", "jdk", "packages", "tarball", "user"}

// traces are files and directories of a kind that simply go.
type traces struct {
	kind, name string
	needs      []string
	find       func(host.Reader) ([]string, error)
}

var _ reconcile.Dependent = traces{}

func (t traces) ID() reconcile.ID { return reconcile.ID{Kind: t.kind, Name: t.name} }

func (t traces) Needs() []string { return t.needs }

func (t traces) Diff(_ context.Context, r host.Reader) ([]reconcile.Change, error) {
	paths, err := t.find(r)
	return going(paths, nil), err
}

func (t traces) Apply(_ context.Context, h host.Host) error {
	paths, err := t.find(h)
	if err != nil {
		return err
	}
	return removeAll(h, paths)
}

// removeAll removes what only root can write to.
func removeAll(h host.Host, paths []string) error {
	for _, p := range paths {
		if err := h.RemoveAll(p); err != nil {
			return fmt.Errorf("cannot remove %s: %w", p, err)
		}
	}
	return nil
}

// going are the changes that take paths away.
func going(paths []string, effects []reconcile.Effect) []reconcile.Change {
	var changes []reconcile.Change
	for _, p := range paths {
		changes = append(changes, reconcile.Change{Field: plain(p), Have: "present", Want: "removed", Effects: effects})
	}
	return changes
}

// found looks for certain paths.
func found(paths ...string) func(host.Reader) ([]string, error) {
	return func(r host.Reader) ([]string, error) {
		var there []string
		for _, p := range paths {
			is, err := exists(r, p)
			if err != nil {
				return nil, err
			}
			if is {
				there = append(there, p)
			}
		}
		return there, nil
	}
}

// jdkTraces are the JDKs that were unpacked from archives, and the repository of
// one that came from there.
func jdkTraces(r host.Reader) ([]string, error) {
	there, err := found(jdkSources, jdkKeyring, "/usr/lib/jvm/.benchctl-new", "/usr/lib/jvm/.benchctl-old")(r)
	if err != nil {
		return nil, err
	}
	marks, err := r.Glob("/usr/lib/jvm/benchctl-*/" + jdkMark)
	for _, mark := range marks {
		there = append(there, path.Dir(mark))
	}
	return there, err
}

// forsaken is a knob that gets its original back because all else goes. The
// hooks hold what sets it again, so they go first.
type forsaken struct{ Released }

var _ reconcile.Dependent = forsaken{}

func (forsaken) Needs() []string { return []string{"hooks"} }

// knobOf is the row of a kind, or what is enough to give back a knob of which
// this version has no row.
func knobOf(kind string) knob {
	for _, k := range []knob{governorKnob, paranoidKnob} {
		if k.id.String() == kind {
			return k
		}
	}
	k := knob{field: func(p string) string { return p }}
	_ = k.id.UnmarshalText([]byte(kind)) // it never fails
	return k
}

// isDir reports whether a directory is there, and no link.
func isDir(r host.Reader, p string) bool {
	info, err := r.Lstat(p)
	return err == nil && info.Type == fs.ModeDir
}
