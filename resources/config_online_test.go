package resources

import (
	"errors"
	"slices"
	"testing"
)

// Whether the runner is online is told by what a diff asks anyway.
func TestConfigKnowsWhetherTheRunnerIsOnline(t *testing.T) {
	t.Parallel()
	yes, no := true, false
	for name, tt := range map[string]struct {
		change func(*bench)
		want   *bool
	}{
		"offline":          {func(*bench) {}, &no},
		"online":           {func(b *bench) { b.gh.runners[0].Status = "online" }, &yes},
		"GitHub lost it":   {func(b *bench) { b.gh.runners = nil }, &no},
		"another's":        {func(b *bench) { b.gh.runners[0].Name, b.gh.runners[0].Status = "else", "online" }, &no},
		"no answer":        {func(b *bench) { b.gh.listErr = errors.New("GitHub is away") }, nil},
		"nobody was asked": {func(b *bench) { b.GitHub = nil }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := inStep(t)
			tt.change(b)
			_, _ = b.Diff(t.Context(), b.Machine)
			got := b.Online()
			if (got == nil) != (tt.want == nil) || got != nil && *got != *tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
			if slices.Contains(b.gh.calls, "groups") || len(b.gh.calls) > 2 {
				t.Errorf("asked %q", b.gh.calls)
			}
		})
	}
}
