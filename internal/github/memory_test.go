package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/github/actions"
	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/internal/host/hosttest"
	"github.com/SKaiNET-developers/benchctl/spec"
)

// A pass is one process after another, on one machine, as one of them would be:
// each has a client of its own, and what the last one kept.
type passes struct {
	t    *testing.T
	m    *hosttest.Machine
	s    *server
	now  time.Time
	cred Credentials
}

func newPasses(t *testing.T, h http.HandlerFunc) *passes {
	return &passes{
		t: t, m: hosttest.New(t, ""), s: serve(t, h), now: time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC),
		cred: Credentials{Token: canary, Source: "github.tokenFile"},
	}
}

// pass asks GitHub in a process of its own, and returns how many requests that
// took.
func (p *passes) pass(patient bool, ask func(*Client, context.Context) error) (requests int, err error) {
	p.t.Helper()
	before := len(p.s.asked)
	memory := LoadMemory(p.m)
	c, err := New(Options{
		URL:         spec.URL{Scope: spec.Organization, Owner: "octo", API: p.s.URL + "/api/v3/"},
		Credentials: p.cred, PublicAPI: p.s.URL + "/public/", Memory: memory, Patient: patient,
		pause: func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
		now:   func() time.Time { return p.now },
	})
	if err != nil {
		p.t.Fatal(err)
	}
	err = ask(c, p.t.Context())
	if kept := memory.Keep(p.m, p.now); kept != nil {
		p.t.Error(kept)
	}
	if text := p.m.Text(MemoryFile); strings.Contains(text, canary) || strings.Contains(text, "Bearer") {
		p.t.Errorf("a credential is kept: %s", text)
	}
	return len(p.s.asked) - before, err
}

func names(c *Client, ctx context.Context) error { _, err := c.Runners(ctx, "n"); return err }
func todays(c *Client, ctx context.Context) error {
	_, err := c.Groups(ctx, 24*time.Hour)
	return err
}

// tagged answers with an ETag that is another one for each token, as GitHub's.
func tagged(full *int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		tag := fmt.Sprintf(`"%x"`, r.Header.Get("Authorization"))
		w.Header().Set("ETag", tag)
		if r.Header.Get("If-None-Match") == tag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		*full++
		answer(w, 200, map[string]any{
			"runners": []actions.Runner{{ID: 7, Name: "n"}}, "runner_groups": []actions.Group{{ID: 1, Name: "bench"}},
			"temp_download_token": "secret",
		})
	}
}

func TestTheNextProcessAsksWhetherSomethingChanged(t *testing.T) {
	t.Parallel()
	full := 0
	p := newPasses(t, tagged(&full))
	for range 3 {
		p.now = p.now.Add(time.Hour)
		if n, err := p.pass(true, names); n != 1 || err != nil {
			t.Errorf("%d requests, %v", n, err)
		}
	}
	if full != 1 {
		t.Errorf("%d full answers to three passes", full)
	}
	p.cred.Token = "another"
	if _, err := p.pass(true, names); err != nil || full != 2 {
		t.Errorf("with another token: %d full answers, %v", full, err)
	}
	p.m.WriteFile(MemoryFile, "{damaged")
	if _, err := p.pass(true, names); err != nil || full != 3 {
		t.Errorf("with a damaged memory: %d full answers, %v", full, err)
	}
}

func TestGroupsAreAskedForOnceADay(t *testing.T) {
	t.Parallel()
	full := 0
	p := newPasses(t, tagged(&full))
	for _, hour := range []struct{ later, requests int }{{0, 1}, {1, 0}, {23, 1}, {23, 0}, {1, 1}} {
		p.now = p.now.Add(time.Duration(hour.later) * time.Hour)
		if n, err := p.pass(true, todays); n != hour.requests || err != nil {
			t.Errorf("%d hours later: %d requests, want %d; %v", hour.later, n, hour.requests, err)
		}
	}
	if n, err := p.pass(false, func(c *Client, ctx context.Context) error { _, err := c.Groups(ctx, 0); return err }); n != 1 || err != nil {
		t.Errorf("a person: %d requests, %v", n, err)
	}
	if full != 1 {
		t.Errorf("%d full answers", full)
	}
}

// What may hold a secret, and what is not asked for at each pass, dies with the
// process.
func TestWhatIsNotKept(t *testing.T) {
	t.Parallel()
	full := 0
	p := newPasses(t, tagged(&full))
	_, _ = p.pass(true, func(c *Client, ctx context.Context) error { _, err := c.Downloads(ctx); return err })
	_, _ = p.pass(true, func(c *Client, ctx context.Context) error { _, err := c.RegistrationToken(ctx); return err })
	if text := p.m.Text(MemoryFile); text != "" {
		t.Errorf("kept: %s", text)
	}
	_, _ = p.pass(true, names)
	old := p.m.Text(MemoryFile)
	p.now = p.now.Add(72 * time.Hour)
	_, _ = p.pass(true, todays)
	if text := p.m.Text(MemoryFile); strings.Contains(text, "/runners?") || !strings.Contains(old, "/runners?") {
		t.Errorf("three days later there is still: %s", text)
	}
}

// However often a pass comes by, a GitHub that is away is asked once, then more
// and more rarely, and all the same when somebody is there to wait.
func TestAGitHubThatIsAwayIsLeftAlone(t *testing.T) {
	t.Parallel()
	away := true
	full := 0
	p := newPasses(t, func(w http.ResponseWriter, r *http.Request) {
		if away {
			answer(w, 503, map[string]string{"message": "Service unavailable"})
			return
		}
		tagged(&full)(w, r)
	})
	if n, err := p.pass(true, names); n != 3 || err == nil {
		t.Errorf("the first time: %d requests, %v", n, err)
	}
	var asked []int
	for minute := 1; minute <= 180; minute++ {
		p.now = p.now.Add(time.Minute)
		n, err := p.pass(true, names)
		if err == nil || !strings.Contains(err.Error(), "503") || n > 1 {
			t.Fatalf("minute %d: %d requests, %v", minute, n, err)
		}
		if n == 1 {
			asked = append(asked, minute)
			continue
		}
		if !strings.Contains(err.Error(), "cannot list the runners of organization octo: GitHub is in trouble (503: Service unavailable); see githubstatus.com and run again later (since 10:00:00 UTC; it is left alone until ") {
			t.Fatalf("not asked, it is said: %v", err)
		}
	}
	if fmt.Sprint(asked) != "[1 3 7 15 31 61 91 121 151]" {
		t.Errorf("asked in the minutes %v", asked)
	}
	if n, err := p.pass(false, names); n != 1 || err == nil {
		t.Errorf("a person: %d requests, %v", n, err)
	}
	away = false
	if n, err := p.pass(false, names); n != 1 || err != nil {
		t.Errorf("back again, a person: %d requests, %v", n, err)
	}
	if n, err := p.pass(true, names); n != 1 || err != nil {
		t.Errorf("back again, a pass: %d requests, %v", n, err)
	}
}

// A host that does not get through asks with each pass: GitHub hears nothing of
// it, and what is in the way may be gone by the next.
func TestAHostThatDoesNotGetThroughTriesAgain(t *testing.T) {
	t.Parallel()
	p := newPasses(t, nil)
	p.s.Close()
	for range 2 {
		if _, err := p.pass(true, names); err == nil || !strings.Contains(err.Error(), "refuses connections; check runner.url, and https_proxy if there is one") || strings.Contains(err.Error(), "left alone") {
			t.Errorf("it is said: %v", err)
		}
	}
}

// Until when GitHub asked to be left alone, nobody asks, in no process.
func TestALimitIsKeptByEverybody(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	limits := func(remaining string) map[string]string {
		return map[string]string{"X-RateLimit-Limit": "5000", "X-RateLimit-Remaining": remaining, "X-RateLimit-Reset": fmt.Sprint(start.Add(40 * time.Minute).Unix())}
	}
	for name, tt := range map[string]struct {
		status int
		header map[string]string
		body   string
		rest   time.Duration
		says   string
	}{
		"the hour's requests are used up": {403, limits("0"), `{"message":"API rate limit exceeded"}`, 40 * time.Minute, "the rate limit of 5000 requests an hour is used up; run again after 10:40:00 UTC"},
		"the last of them":                {200, limits("0"), `{"runners":[]}`, 40 * time.Minute, "the rate limit of 5000 requests an hour is used up"},
		"too many at once":                {403, map[string]string{"Retry-After": "600"}, `{"documentation_url":"https://docs.github.com/rest/overview/rate-limits-for-the-rest-api#about-secondary-rate-limits"}`, 10 * time.Minute, "its secondary rate limit"},
		"too many at once, and no time":   {403, nil, `{"documentation_url":"https://docs.github.com/rest/overview/rate-limits-for-the-rest-api#about-secondary-rate-limits"}`, time.Minute, "its secondary rate limit"},
		"too many":                        {429, map[string]string{"Retry-After": "90"}, `{}`, 90 * time.Second, "too many requests (429)"},
		"too many, and no time":           {429, nil, `{}`, time.Minute, "too many requests (429)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPasses(t, func(w http.ResponseWriter, _ *http.Request) {
				for key, value := range tt.header {
					w.Header().Set(key, value)
				}
				w.WriteHeader(tt.status)
				fmt.Fprint(w, tt.body)
			})
			p.now = start
			if n, _ := p.pass(true, names); n != 1 {
				t.Errorf("%d requests", n)
			}
			for _, patient := range []bool{true, false} {
				p.now = start.Add(tt.rest - time.Second)
				if n, err := p.pass(patient, names); n != 0 || err == nil || !strings.Contains(err.Error(), tt.says) {
					t.Errorf("before the end: %d requests, %v", n, err)
				}
			}
			whose := p.cred.Token
			p.cred.Token = "somebody else's"
			if n, _ := p.pass(true, names); n != 1 {
				t.Errorf("with another token: %d requests", n)
			}
			p.cred.Token = whose
			p.now = start.Add(tt.rest + time.Second)
			if n, _ := p.pass(true, names); n != 1 {
				t.Errorf("afterwards: %d requests", n)
			}
		})
	}
}

// Who asks github.com by other means can tell.
func TestOthersCanTellThatItRests(t *testing.T) {
	t.Parallel()
	mine, other := Credentials{Token: canary}, Credentials{Token: "another"}
	m := &Memory{}
	m.setRest(whose(publicAPI, mine), rest{Until: time.Now().Add(time.Hour), Ordered: true, Why: "the limit is used up"})
	m.setRest(whose(publicAPI, other), rest{Until: time.Now().Add(time.Hour), Since: time.Now(), Why: "GitHub is in trouble"})
	for _, patient := range []bool{true, false} {
		if got := m.Resting(mine, patient); got != "the limit is used up" {
			t.Errorf("at a limit: %q", got)
		}
		if got := m.Resting(other, patient); strings.HasPrefix(got, "GitHub is in trouble (since ") != patient {
			t.Errorf("in trouble, patient %v: %q", patient, got)
		}
	}
	if got := m.Resting(Credentials{}, true); got != "" {
		t.Errorf("nobody in particular: %q", got)
	}
}

// A rest that ends the day after tomorrow was noted by a wrong clock.
func TestARestOfAWrongClockIsNone(t *testing.T) {
	t.Parallel()
	full := 0
	p := newPasses(t, func(w http.ResponseWriter, r *http.Request) {
		if full == 0 {
			full++
			w.Header().Set("Retry-After", "3000")
			answer(w, 429, nil)
			return
		}
		tagged(&full)(w, r)
	})
	_, _ = p.pass(true, names)
	p.now = p.now.Add(-48 * time.Hour)
	if n, err := p.pass(true, names); n != 1 || err != nil {
		t.Errorf("%d requests, %v", n, err)
	}
}

// Credentials that are not accepted are not shown again and again, which GitHub
// answers by shutting everybody out; new ones are tried at once.
func TestCredentialsThatAreNotAcceptedAreShownRarely(t *testing.T) {
	t.Parallel()
	full := 0
	p := newPasses(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.Header.Get("Authorization"), canary) {
			answer(w, 401, map[string]string{"message": "Bad credentials"})
			return
		}
		tagged(&full)(w, r)
	})
	for n, want := range []int{1, 0} {
		if got, err := p.pass(true, names); got != want || err == nil || !strings.Contains(err.Error(), "GitHub does not accept the credentials from github.tokenFile (401") {
			t.Errorf("pass %d: %d requests, %v", n, got, err)
		}
	}
	p.cred.Token = "new"
	if n, err := p.pass(true, names); n != 1 || err != nil {
		t.Errorf("with a new token: %d requests, %v", n, err)
	}
}

// A token that is given more time is one, although what GitHub answers with it
// did not change, and although not all of it is asked for again.
func TestTheEndOfATokenMoves(t *testing.T) {
	first := time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC)
	ends, full := first, 0
	tells := tagged(&full)
	p := newPasses(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("GitHub-Authentication-Token-Expiration", ends.Format("2006-01-02 15:04:05 MST"))
		tells(w, r)
	})
	for _, ends = range []time.Time{first, first.AddDate(0, 1, 0)} {
		_, err := p.pass(true, func(c *Client, ctx context.Context) error {
			err := errors.Join(names(c, ctx), todays(c, ctx))
			if got, _ := c.TokenEnds(); !got.Equal(ends) {
				t.Errorf("the token ends %v, want %v", got, ends)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
	if full != 2 {
		t.Errorf("GitHub answered in full %d times", full)
	}
}

// Answers that are too long to be read again do not take the rests with them.
func TestLongAnswersAreForgotten(t *testing.T) {
	t.Parallel()
	m, now := hosttest.New(t, ""), time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	memory := &Memory{}
	memory.put("long", answered{at: now, body: []byte(`"` + strings.Repeat("x", host.MaxHostile) + `"`), lasting: true})
	memory.setRest("who", rest{Until: now.Add(time.Minute), Times: 1})
	if err := memory.Keep(m, now); err != nil {
		t.Fatal(err)
	}
	if again := LoadMemory(m); again.rest("who").Times != 1 {
		t.Errorf("GitHub is not left alone: %d bytes are kept", len(m.Text(MemoryFile)))
	}
}
