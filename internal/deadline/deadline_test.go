package deadline

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/github/actions"
	"github.com/SKaiNET-developers/benchctl/internal/host/hosttest"
	"github.com/SKaiNET-developers/benchctl/spec"
)

var (
	noon   = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	hosted = spec.URL{Host: "github.com"}
	ghes   = spec.URL{Host: "ghes.example"}
)

// GitHub is asked once a day, and when it does not answer not at the very next
// pass. An answer about another version is none.
func TestAskedOnceADay(t *testing.T) {
	t.Parallel()
	m := hosttest.New(t, "")
	asked, away := 0, false
	ask := func(_ context.Context, version string) (actions.Deprecation, error) {
		if asked++; away {
			return actions.Deprecation{}, errors.New("GitHub is away")
		}
		return actions.Deprecation{Version: version, Runtime: noon.AddDate(0, 0, 5)}, nil
	}
	now := noon
	pass := func(version string, n, want int) {
		t.Helper()
		asked = 0
		for range n {
			if err := Kept(m, version).Renewed(t.Context(), now, ask).Keep(m); err != nil {
				t.Fatal(err)
			}
			now = now.Add(30 * time.Minute)
		}
		if asked != want {
			t.Errorf("in %d passes GitHub was asked %d times, want %d", n, asked, want)
		}
	}
	pass("2.335.0", 48, 1)
	away = true
	pass("2.335.0", 24, 2) // every six hours
	if s := Kept(m, "2.335.0"); !s.Known || !s.Runtime.Equal(noon.AddDate(0, 0, 5)) {
		t.Errorf("what GitHub said before it was away is %+v", s)
	}
	pass("2.336.0", 24, 2)
	if s := Kept(m, "2.336.0"); s.Known {
		t.Errorf("of a version of which it said nothing: %+v", s)
	}
	away = false
	now = noon // a clock that was put back
	pass("2.336.0", 1, 1)
	pass("", 1, 0)
	writes := len(m.Writes)
	pass("2.336.0", 10, 0)
	if len(m.Writes) != writes {
		t.Errorf("an answer that is kept was written again: %q", m.Writes[writes:])
	}
}

func TestWarnings(t *testing.T) {
	t.Parallel()
	at := func(days int) time.Time { return noon.AddDate(0, 0, days) }
	for name, c := range map[string]struct {
		support Support
		where   spec.URL
		want    []string
	}{
		"nothing known":   {Support{Version: "2.336.0"}, hosted, nil},
		"nothing there":   {Support{}, hosted, nil},
		"far away":        {Support{Version: "2.336.0", Runtime: at(30), Registration: at(60)}, hosted, nil},
		"soon":            {Support{Version: "2.336.0", Runtime: at(12), Registration: at(1)}, hosted, []string{"GitHub hands jobs to runner 2.336.0 until 2026-12-05, 12 days from now; set a newer runner.version and apply it", "GitHub registers runner 2.336.0 until 2026-11-24, a day from now; set a newer runner.version and apply it"}},
		"over":            {Support{Version: "2.336.0", Runtime: at(0), Registration: at(-1)}, hosted, []string{"GitHub has handed no jobs to runner 2.336.0 since 2026-11-23; set a newer runner.version and apply it", "GitHub has not registered runner 2.336.0 since 2026-11-22, so that it could not be registered anew; set a newer runner.version and apply it"}},
		"too old":         {Support{Version: "2.328.0"}, hosted, []string{"GitHub registers no runner older than 2.329.0, so that 2.328.0 could not be registered anew; set a newer runner.version and apply it"}},
		"old, of another": {Support{Version: "2.328.0"}, ghes, nil},
	} {
		if got := c.support.Warnings(noon, c.where); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q\nwant %q", name, got, c.want)
		}
	}
}

// What is there but cannot be used is as good as nothing.
func TestKeptIsNothingWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	m := hosttest.New(t, "")
	for _, text := range []string{"", "{", `{"version":"2.335.0","known":true}`, "[]"} {
		m.WriteFile(File, text)
		if got := Kept(m, "2.336.0"); got != (Support{Version: "2.336.0"}) {
			t.Errorf("of %q it takes %+v", text, got)
		}
	}
}

// Whether a version could be registered anew is known of a minimum, without
// having asked, and of what GitHub said.
func TestRegisters(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		s     Support
		where spec.URL
		want  bool
	}{
		{Support{Version: "2.328.0"}, hosted, false},
		{Support{Version: "2.328.0"}, ghes, true},
		{Support{Version: "2.336.0"}, hosted, true},
		{Support{Version: "2.336.0", Registration: noon.Add(time.Hour)}, hosted, true},
		{Support{Version: "2.336.0", Registration: noon}, hosted, false},
	} {
		if got := c.s.Registers(noon, c.where); got != c.want {
			t.Errorf("%+v at %s: %v", c.s, c.where.Host, got)
		}
	}
}
