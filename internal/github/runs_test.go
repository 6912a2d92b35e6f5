package github

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/SKaiNET-developers/benchctl/internal/github/actions"
	"github.com/SKaiNET-developers/benchctl/spec"
)

// A dispatch that may have been carried out is told from one that was not, and
// none is sent twice.
func TestDispatchIsSentOnce(t *testing.T) {
	t.Parallel()
	status := func(code int, text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(code)
			io.WriteString(w, text)
		}
	}
	for name, c := range map[string]struct {
		answer       http.HandlerFunc // nil: nobody is there
		run          int64
		away, unsure bool
	}{
		"told":         {status(200, `{"workflow_run_id": 7}`), 7, false, false},
		"not told":     {status(204, ""), 0, false, false},
		"no JSON":      {status(200, "<html>"), 0, true, true},
		"in trouble":   {status(502, "{}"), 0, true, true},
		"cut off":      {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, 0, true, true},
		"may not":      {status(403, "{}"), 0, false, false},
		"refused":      {status(422, `{"message": "No ref found for: x"}`), 0, false, false},
		"a limit":      {status(429, "{}"), 0, true, false},
		"nobody there": {nil, 0, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var sent atomic.Int64
			api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if sent.Add(1); r.Method == http.MethodPost && c.answer != nil {
					c.answer(w, r)
				}
			}))
			want := int64(1)
			if c.answer == nil {
				api.Close()
				want = 0
			}
			t.Cleanup(api.Close)
			client, err := New(Options{URL: spec.URL{Scope: spec.Repository, Owner: "octo", Repo: "bench", API: api.URL + "/"}, Credentials: Credentials{Token: canary, Source: "GH_TOKEN"}, PublicAPI: api.URL + "/"})
			if err != nil {
				t.Fatal(err)
			}
			run, err := client.Dispatch(t.Context(), 3, "main", map[string]string{"a": "b"})
			if run != c.run || errors.Is(err, actions.ErrAway) != c.away || errors.Is(err, actions.ErrUnsure) != c.unsure || sent.Load() != want {
				t.Errorf("run %d, %v, sent %d times", run, err, sent.Load())
			}
			if fails := c.run == 0 && name != "not told"; fails != (err != nil) || fails && !strings.Contains(err.Error(), "cannot dispatch a workflow of octo/bench: ") {
				t.Errorf("%v", err)
			}
		})
	}
}
