// Package hosttest is a machine in a temporary directory. Its files are real
// files, so modes, links and renames behave because they are real; what has no
// path (systemd, commands) is kept in maps that a test sets up and looks at.
package hosttest

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/tools/txtar"

	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/internal/host/linux"
)

// A Machine is a host for one test.
type Machine struct {
	*linux.Machine

	mu sync.Mutex
	// Units by name. One that is not here is "not-found".
	Units map[string]host.Unit
	// Journals by invocation, for Journal, and by unit, for Messages.
	Journals map[string][]string
	// Unread is what journald has still to read, by invocation.
	Unread map[string][]string
	Said   map[string][]host.Message
	// OnRun answers commands. Without it, every command fails the test.
	OnRun func(cmd host.Command) (host.Output, error)
	// OnStart and OnStop, if set, act when a unit is started or stopped;
	// without them the unit just becomes active or inactive. OnReload acts
	// when one reads its own settings anew.
	OnStart, OnStop, OnReload func(unit string) error
	// Ran lists the argv of every command, in order.
	Ran [][]string
	// Writes lists every change made, as "op path", in order.
	Writes []string

	t testing.TB
}

var _ host.Host = (*Machine)(nil)

// New makes a machine whose files are those of a txtar archive: names are
// paths without the leading slash, and a name that ends in a slash is a
// directory. A comment in the archive says which machine this is.
func New(t testing.TB, archive string) *Machine {
	t.Helper()
	m := &Machine{
		Machine:  &linux.Machine{Root: t.TempDir()},
		Units:    map[string]host.Unit{},
		Journals: map[string][]string{},
		t:        t,
	}
	m.Machine.Before = func(op, path string) {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.Writes = append(m.Writes, op+" "+path)
	}
	for _, f := range txtar.Parse([]byte(archive)).Files {
		m.WriteFile("/"+f.Name, string(f.Data))
	}
	return m
}

// WriteFile puts a file there without counting it as a change.
func (m *Machine) WriteFile(path, text string) {
	m.t.Helper()
	at := m.Path(path)
	if strings.HasSuffix(path, "/") {
		m.must(os.MkdirAll(at, 0o755))
		return
	}
	m.must(os.MkdirAll(filepath.Dir(at), 0o755))
	m.must(os.WriteFile(at, []byte(text), 0o644))
}

// Path is where a path of the machine really lies.
func (m *Machine) Path(path string) string { return filepath.Join(m.Root, path) }

// Text returns a file's contents, and "" when there is none.
func (m *Machine) Text(path string) string {
	data, _ := os.ReadFile(m.Path(path))
	return string(data)
}

func (m *Machine) must(err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatal(err)
	}
}

// Unit returns what the test says of a unit.
func (m *Machine) Unit(_ context.Context, name string) (host.Unit, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if u, ok := m.Units[name]; ok {
		u.Name = name
		return u, nil
	}
	return host.Unit{Name: name, LoadState: "not-found", ActiveState: "inactive", SubState: "dead"}, nil
}

// Journal returns the last max messages of an invocation.
func (m *Machine) Journal(_ context.Context, _, invocation string, max int) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := m.Journals[invocation]
	return all[len(all)-min(max, len(all)):], nil
}

// LastWords is Journal, with what journald has not read before.
func (m *Machine) LastWords(ctx context.Context, unit, invocation string, max int) ([]string, error) {
	m.mu.Lock()
	m.Journals[invocation] = append(m.Journals[invocation], m.Unread[invocation]...)
	delete(m.Unread, invocation)
	m.mu.Unlock()
	return m.Journal(ctx, unit, invocation, max)
}

// Messages returns the last max messages of a unit between two times.
func (m *Machine) Messages(_ context.Context, unit string, from, to time.Time, max int) ([]host.Message, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := slices.DeleteFunc(slices.Clone(m.Said[unit]), func(said host.Message) bool {
		return said.At.Before(from) || said.At.After(to)
	})
	return all[len(all)-min(max, len(all)):], nil
}

// Run hands a command to OnRun, unless the context has ended.
func (m *Machine) Run(ctx context.Context, cmd host.Command) (host.Output, error) {
	if ctx.Err() != nil {
		return host.Output{}, fmt.Errorf("%s was interrupted: %w", cmd.Argv[0], ctx.Err())
	}
	m.mu.Lock()
	m.Ran = append(m.Ran, cmd.Argv)
	m.Writes = append(m.Writes, "run "+cmd.Argv[0])
	on := m.OnRun
	m.mu.Unlock()
	if on == nil {
		m.t.Errorf("nobody expected the command %q", cmd.Argv)
		return host.Output{}, fmt.Errorf("cannot run %s", cmd.Argv[0])
	}
	return on(cmd)
}

// RunUnit runs a command as Run does.
func (m *Machine) RunUnit(ctx context.Context, unit string, cmd host.Command) (host.Output, error) {
	m.mu.Lock()
	m.Writes = append(m.Writes, "unit "+unit)
	m.mu.Unlock()
	return m.Run(ctx, cmd)
}

// Poke behaves as the kernel does: a file that offers choices
// ("always [madvise] never") takes one of them and moves the brackets; a
// scaling_governor takes what scaling_available_governors beside it offers.
// Anything else is EINVAL.
func (m *Machine) Poke(path, value string) error {
	m.mu.Lock()
	m.Writes = append(m.Writes, "poke "+path)
	m.mu.Unlock()
	return poke(m.Path(path), path, value)
}

// Tree returns the path of every file with its mode and contents, to compare
// before and after. A lock's contents say who took it last and when, and do not
// count.
func (m *Machine) Tree() map[string]string {
	tree := map[string]string{}
	m.must(filepath.Walk(m.Root, func(path string, info os.FileInfo, err error) error {
		if err != nil {
			return err
		}
		text := info.Mode().String()
		if info.Mode().IsRegular() && !strings.HasSuffix(path, ".lock") {
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			text += " " + string(data)
		}
		tree[strings.TrimPrefix(path, m.Root)] = text
		return nil
	}))
	return tree
}

// SameTree reports the paths in which two trees differ.
func SameTree(a, b map[string]string) (differ []string) {
	for _, path := range slices.Sorted(maps.Keys(merged(a, b))) {
		if a[path] != b[path] {
			differ = append(differ, path)
		}
	}
	return differ
}

func merged(a, b map[string]string) map[string]string {
	both := maps.Clone(a)
	maps.Copy(both, b)
	return both
}
