package github

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/github/actions"
	"github.com/SKaiNET-developers/benchctl/internal/standin"
	"github.com/SKaiNET-developers/benchctl/spec"
)

// against makes a client of a stand-in GitHub, which holds every request to
// the endpoints that GitHub describes.
func against(t *testing.T, s *standin.Server, scope spec.Scope, cred Credentials) *Client {
	t.Helper()
	u := spec.URL{Scope: scope, Owner: "octo", API: s.URL() + "/api/v3/"}
	if scope == spec.Repository {
		u.Repo = "bench"
	}
	c, err := New(Options{URL: u, Credentials: cred, Version: "test", PublicAPI: u.API,
		pause: func(ctx context.Context, _ time.Duration) error { return ctx.Err() }})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func standIn(t *testing.T) *standin.Server {
	t.Helper()
	s, err := standin.Start(standin.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Close()
		for _, v := range s.Violations() {
			t.Error(v)
		}
	})
	return s
}

func TestEveryCallAgainstTheStandIn(t *testing.T) {
	t.Parallel()
	for scope, at := range map[spec.Scope]standin.Scope{
		spec.Repository:   standin.Repo("octo/bench"),
		spec.Organization: standin.Org("octo"),
		spec.Enterprise:   standin.Enterprise("octo"),
	} {
		t.Run(string(scope), func(t *testing.T) {
			t.Parallel()
			s := standIn(t)
			var id int64
			for n := range 103 {
				id = s.AddRunner(at, fmt.Sprintf("r%d", n), "old")
			}
			c := against(t, s, scope, Credentials{Token: canary, Source: "GH_TOKEN"})
			walk(t, c, id, len(s.Runners(at)))
			if scope != spec.Repository {
				group := s.AddGroup(at, "bench")
				inGroups(t, c, s.AddRunner(at, "grouped"), group)
			}
		})
	}
}

// walk makes every call that each scope has, on runner id of all.
func walk(t *testing.T, c *Client, id int64, all int) {
	t.Helper()
	ctx := t.Context()
	if list, err := c.Runners(ctx, ""); err != nil || len(list) != all {
		t.Errorf("%d of %d runners, %v", len(list), all, err)
	}
	if list, err := c.Runners(ctx, "R102"); err != nil || len(list) == 0 {
		t.Errorf("by name: %v, %v", list, err)
	}
	if err := c.SetLabels(ctx, id, []string{"new", "newer"}); err != nil {
		t.Error(err)
	}
	labels, err := c.Labels(ctx, id)
	var custom []string
	for _, l := range labels {
		if !l.ReadOnly() {
			custom = append(custom, l.Name)
		}
	}
	if err != nil || strings.Join(custom, ",") != "new,newer" || len(labels) != 5 {
		t.Errorf("labels %v, %v", labels, err)
	}
	for _, mint := range []func(context.Context) (actions.Secret, error){c.RegistrationToken, c.RemoveToken} {
		if token, err := mint(ctx); err != nil || token == "" {
			t.Error(err)
		}
	}
	if _, err := c.Downloads(ctx); err != nil {
		t.Error(err)
	}
	made, err := c.JIT(ctx, actions.JITRequest{Name: "once", GroupID: 1, Labels: []string{"self-hosted", "bench"}, WorkDir: "_work"})
	if err != nil || made.Runner.ID == 0 || made.Runner.Name != "once" || !made.Runner.Ephemeral || made.Config == "" {
		t.Errorf("just in time: %+v, %v", made, err)
	}
	if _, err := c.JIT(ctx, actions.JITRequest{Name: "ONCE", GroupID: 1, Labels: []string{"bench"}}); err == nil || !strings.Contains(err.Error(), "409") {
		t.Errorf("once more: %v", err)
	}
	if err := c.DeleteRunner(ctx, id); err != nil {
		t.Error(err)
	}
	if _, err := c.Runner(ctx, id); !errors.Is(err, actions.ErrNotFound) {
		t.Errorf("after its end: %v", err)
	}
}

func inGroups(t *testing.T, c *Client, id, group int64) {
	t.Helper()
	ctx := t.Context()
	groups, err := c.Groups(ctx, 0)
	if err != nil || len(groups) != 2 {
		t.Errorf("groups %v, %v", groups, err)
	}
	if err := c.MoveRunner(ctx, id, group); err != nil {
		t.Error(err)
	}
	if r, err := c.Runner(ctx, id); err != nil || r.GroupID != group || r.Name != "grouped" {
		t.Errorf("moved: %v, %v", r, err)
	}
}

func TestFaultsOfTheStandIn(t *testing.T) {
	t.Parallel()
	for mode, want := range map[standin.Mode]string{
		standin.Unauthorized:    "expired",
		standin.Forbidden:       "may not do this",
		standin.Missing:         "does not tell apart",
		standin.Conflict:        "409",
		standin.Unprocessable:   "422",
		standin.TooManyRequests: "429",
		standin.PrimaryLimit:    "rate limit",
		standin.SecondaryLimit:  "secondary rate limit",
		standin.Unavailable:     "in trouble",
		standin.CutOff:          "cut off",
	} {
		s := standIn(t)
		s.Fail(standin.Fault{Path: "/repos/octo/bench/actions/runners", Mode: mode, Delay: time.Hour})
		c := against(t, s, spec.Repository, Credentials{Token: canary, Source: "GH_TOKEN"})
		if _, err := c.Runners(t.Context(), ""); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), canary) {
			t.Errorf("mode %v: %v; want %q", mode, err, want)
		}
	}
}

func TestAFaultThatPassesIsNotSeen(t *testing.T) {
	t.Parallel()
	s := standIn(t)
	f := s.Fail(standin.Fault{Path: "/repos/octo/bench/actions/runners", Mode: standin.Unavailable, Times: 2})
	c := against(t, s, spec.Repository, Credentials{Token: canary})
	if _, err := c.Runners(t.Context(), ""); err != nil || f.Hits() != 2 {
		t.Errorf("%d faults, %v", f.Hits(), err)
	}
}

func TestAnAppAgainstTheStandIn(t *testing.T) {
	t.Parallel()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	s := standIn(t)
	s.AddApp(12, &key.PublicKey)
	app := &App{ID: 12, Installation: 34, Key: actions.Secret(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))}
	c := against(t, s, spec.Organization, Credentials{App: app, Source: "/key.pem"})
	for range 3 {
		if _, err := c.Runners(t.Context(), ""); err != nil {
			t.Fatal(err)
		}
	}
	var posts int
	for _, r := range s.Requests() {
		if r.Method == "POST" {
			posts++
		}
	}
	if posts != 1 || c.AppTokens() != 1 {
		t.Errorf("%d POSTs, %d counted", posts, c.AppTokens())
	}
	o := Options{URL: c.place, Credentials: c.cred}
	if token, err := InstallationToken(t.Context(), o); err != nil || !slices.Contains(s.Secrets(), token.Reveal()) {
		t.Errorf("the token is %q, %v", token, err)
	}
	app.ID = 13
	if _, err := InstallationToken(t.Context(), o); err == nil || !strings.HasPrefix(err.Error(), "cannot have GitHub make App 13 an installation token: ") {
		t.Errorf("for an App that there is not: %v", err)
	}
}
