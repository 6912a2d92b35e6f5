package agent

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/SKaiNET-developers/benchctl/internal/source"
)

// elsewhere has the agent's spec come from a server, which the children ask, as
// `benchctl fetch` and `benchctl pass` do.
func elsewhere(r *rig, text *atomic.Value) (asked *atomic.Int32) {
	asked = &atomic.Int32{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		fmt.Fprint(w, text.Load())
	}))
	r.t.Cleanup(server.Close)
	r.Files = []string{server.URL}
	r.fetching = func() {
		child := &source.Reader{Copies: r.m}
		if _, err := child.All(r.t.Context(), r.Files); err != nil {
			r.t.Error(err)
		}
		if err := child.Keep(r.m); err != nil {
			r.t.Error(err)
		}
	}
	return asked
}

func TestASpecFromElsewhere(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	var text atomic.Value
	text.Store(goodSpec)
	asked := elsewhere(r, &text)
	r.begin()
	if n := asked.Load(); n != 2 {
		t.Errorf("asked %d times, want once to begin with, and once for the pass", n)
	}
	// Another one is in force at the end of the pass that fetched it.
	text.Store(strings.Replace(goodSpec, "*/30", "45", 1))
	told := r.tick()
	if last := told[len(told)-1]; last != "STATUS=in step; next pass Mon 10:45:00" {
		t.Errorf("systemd was told %q", told)
	}
	if got := r.m.Text(LastGood); got != text.Load() {
		t.Errorf("the last good spec is %q", got)
	}
	// One with problems is not, and nobody is asked while a job runs.
	text.Store("version: 2\n")
	told = r.tick()
	if last := told[len(told)-1]; last != "STATUS=in step; the spec has problems, and the last good one stays in force; next pass Mon 11:45:00" {
		t.Errorf("systemd was told %q", told)
	}
	before := asked.Load()
	r.do(func() { r.paused = fmt.Errorf("paused") })
	r.tick()
	if n := asked.Load(); n != before {
		t.Errorf("asked %d times for a pass that was put off", n-before)
	}
	r.did(3, 0)
}

// Whoever mends a spec elsewhere does not come here to start the agent again.
func TestItBeginsWithTheLastGood(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	var text atomic.Value
	text.Store("version: 2\n")
	elsewhere(r, &text)
	r.m.WriteFile(LastGood, goodSpec)
	told := r.begin()
	if !slices.Contains(told, "READY=1 STATUS=begins") || strings.Count(r.log(), "the last good spec stays in force") != 1 {
		t.Errorf("systemd was told %q, the journal %q", told, r.log())
	}
	text.Store(strings.Replace(goodSpec, "*/30", "45", 1))
	told = r.tick()
	if last := told[len(told)-1]; last != "STATUS=in step; next pass Mon 10:45:00" {
		t.Errorf("systemd was told %q", told)
	}
}
