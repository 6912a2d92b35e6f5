package resources

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/SKaiNET-developers/benchctl/internal/github/actions"
	"github.com/SKaiNET-developers/benchctl/internal/host"
)

// A killer ends benchctl, by a panic, at the n-th thing that it does to the
// host or to GitHub.
type killer struct{ left int }

type killed struct{}

func (k *killer) step() {
	if k.left--; k.left == 0 {
		panic(killed{})
	}
}

// mortalGitHub dies before and after what it changes.
type mortalGitHub struct {
	*fakeGitHub
	k *killer
}

func (g mortalGitHub) DeleteRunner(ctx context.Context, id int64) error {
	g.k.step()
	defer g.k.step()
	return g.fakeGitHub.DeleteRunner(ctx, id)
}

func (g mortalGitHub) RegistrationToken(ctx context.Context) (actions.Secret, error) {
	g.k.step()
	return g.fakeGitHub.RegistrationToken(ctx)
}

func (g mortalGitHub) JIT(ctx context.Context, asked actions.JITRequest) (actions.JIT, error) {
	g.k.step()
	defer g.k.step()
	return g.fakeGitHub.JIT(ctx, asked)
}

// dies applies and reports whether it was killed on the way.
func (b *bench) dies(t *testing.T, k *killer) (died bool) {
	t.Helper()
	defer func() {
		switch r := recover().(type) {
		case nil:
		case killed:
			died = true
		default:
			panic(r)
		}
	}()
	if err := b.Apply(t.Context(), b.Machine); err != nil {
		t.Fatal(err)
	}
	return false
}

// Law 6: killed at any instant, the next apply converges, and GitHub is left
// with one runner.
func TestConfigKilledAtAnyInstant(t *testing.T) {
	t.Parallel()
	for name, begin := range map[string]func(*bench){
		"a bare host": func(b *bench) {
			b.gh.runners = nil
			for _, path := range b.leftHere(b.Machine) {
				if err := b.RemoveAll(path); err != nil {
					t.Fatal(err)
				}
			}
		},
		"made anew":         func(b *bench) { b.Ephemeral = true },
		"after its one job": func(b *bench) { b.usedUp(t) },
		"under a new name":  func(b *bench) { b.offlineRecord(7); b.Name = "new" },
		"deleted at GitHub": func(b *bench) { b.gh.runners = nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			instants := 0
			for n := 1; ; n++ {
				b := inStep(t)
				begin(b)
				k := &killer{left: n}
				mortal(b, k)
				if !b.dies(t, k) {
					break
				}
				instants++
				k.left = 0 // from here on it lives
				b.settles(t, fmt.Sprintf("killed at instant %d", n))
			}
			if instants < 5 {
				t.Errorf("only %d instants were tried", instants)
			}
		})
	}
}

// mortal has everything that changes something pass the killer.
func mortal(b *bench, k *killer) {
	b.Config.GitHub = mortalGitHub{b.gh, k}
	b.Machine.Machine.Before = func(string, string) { k.step() }
	whole := b.OnRun
	b.OnRun = func(cmd host.Command) (host.Output, error) {
		k.step()
		out, err := whole(cmd)
		if cmd.Argv[1] != "remove" {
			k.half(b)
		}
		return out, err
	}
}

// half is config.sh killed with benchctl, before it wrote `.runner`.
func (k *killer) half(b *bench) {
	if k.left == 1 {
		os.Remove(b.Path(configDir + "/.runner"))
	}
	k.step()
}

func (b *bench) settles(t *testing.T, when string) {
	t.Helper()
	changes, err := b.Diff(t.Context(), b.Machine)
	if err != nil {
		t.Fatalf("%s: %v", when, err)
	}
	if len(changes) > 0 {
		if err := b.Apply(t.Context(), b.Machine); err != nil {
			t.Fatalf("%s: %v", when, err)
		}
	}
	if rest := b.diff(t); rest != "" {
		t.Errorf("%s: still differs: %s", when, rest)
	}
	if n := len(b.gh.runners); n != 1 || !strings.EqualFold(b.gh.runners[0].Name, b.Name) {
		t.Errorf("%s: GitHub has %v", when, b.gh.runners)
	} else if rec := readRecord(b.Machine, b.URL, b.Name); rec.ID != b.gh.runners[0].ID || rec.Former != "" {
		t.Errorf("%s: the record is %+v, want id %d", when, rec, b.gh.runners[0].ID)
	}
}
