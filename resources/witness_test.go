package resources

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"testing"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/github/actions"
	"github.com/SKaiNET-developers/benchctl/internal/host"
)

// witness is one of a bench's registration.
func (b *bench) witness() *Witness { return &Witness{Config: b.Config, Patience: time.Minute} }

// Who looks through a witness finds what differs as a diff does, and what each of
// the three says.
func TestWitness(t *testing.T) {
	t.Parallel()
	b := inStep(t)
	b.gh.runners[0].Labels = defaults("x86_64")
	w := b.witness()
	got, err := w.Diff(t.Context(), b.Machine)
	want, err2 := b.Diff(t.Context(), b.Machine)
	if lines(got) != lines(want) || err != nil || err2 != nil || len(got) != 1 {
		t.Errorf("it differs: %s (%v), a diff says %s (%v)", lines(got), err, lines(want), err2)
	}
	v := w.Views
	if v.Spec.Name != "box-bench" || v.Here == nil || v.Here.ID != 7 || v.GitHub == nil || v.GitHub.ID != 7 || v.GitHub.Status != "offline" ||
		!slices.Equal(v.GitHub.Labels, []string{"self-hosted", "Linux", "X64", "x86_64"}) || v.Broken != "" {
		t.Errorf("the views: %+v", v)
	}
}

func TestWitnessOfWhatIsBroken(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		change func(*bench)
		here   bool
		github int64 // the id there; 0: none
		broken string
		err    bool
	}{
		"deleted":         {func(b *bench) { b.gh.runners = nil }, true, 0, "deleted at GitHub (id 7)", false},
		"another's id":    {func(b *bench) { b.gh.runners[0].ID = 9 }, true, 9, "id 7 here, but GitHub has a runner box-bench with id 9, offline", false},
		"unusable":        {func(b *bench) { b.WriteFile(configDir+"/.runner", "x") }, false, 7, "unusable here: .runner is not the JSON that config.sh writes", false},
		"GitHub is away":  {func(b *bench) { b.gh.listErr = errors.New("away") }, true, 0, "", true},
		"nobody is asked": {func(b *bench) { b.GitHub = nil }, true, 0, "", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := inStep(t)
			tt.change(b)
			w := b.witness()
			_, err := w.Diff(t.Context(), b.Machine)
			v := w.Views
			if (v.Here != nil) != tt.here || v.Broken != tt.broken || (err != nil) != tt.err {
				t.Errorf("%+v, %v", v, err)
			}
			if id := v.GitHub; (id == nil) != (tt.github == 0) || id != nil && id.ID != tt.github {
				t.Errorf("GitHub: %+v, want id %d", id, tt.github)
			}
		})
	}
}

// barred is a host whose runner's files may not be looked at.
type barred struct{ host.Reader }

func (barred) ReadBelow(string, string) ([]byte, error) { return nil, fs.ErrPermission }

// Somebody who may not read `.runner` still learns what GitHub has.
func TestWitnessWhoIsNotRoot(t *testing.T) {
	t.Parallel()
	b := inStep(t)
	w := b.witness()
	if _, err := w.Diff(t.Context(), barred{b.Machine}); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("got %v", err)
	}
	if w.Views.Here != nil || w.Views.GitHub == nil || w.Views.GitHub.ID != 7 {
		t.Errorf("the views: %+v", w.Views)
	}
}

// stuck is a GitHub that never answers.
type stuck struct{ GitHub }

func (stuck) Runners(ctx context.Context, _ string) ([]actions.Runner, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestWitnessWaitsOnlySoLong(t *testing.T) {
	t.Parallel()
	b := inStep(t)
	b.GitHub = stuck{b.gh}
	w := &Witness{Config: b.Config, Patience: time.Millisecond}
	if _, err := w.Diff(t.Context(), b.Machine); !errors.Is(err, context.DeadlineExceeded) || w.Views.Here == nil {
		t.Errorf("got %v, %+v", err, w.Views)
	}
}
