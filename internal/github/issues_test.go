package github

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/github/actions"
	"github.com/SKaiNET-developers/benchctl/internal/standin"
	"github.com/SKaiNET-developers/benchctl/spec"
)

var octoBench = standin.Repo("octo/bench")

func TestAnIssueFromEndToEnd(t *testing.T) {
	t.Parallel()
	s := standIn(t)
	c := against(t, s, spec.Repository, Credentials{Token: canary, Source: "GH_TOKEN"})
	ctx := t.Context()
	s.AddIssue(octoBench, standin.Issue{Title: "box", Pull: true})
	closed := s.AddIssue(octoBench, standin.Issue{Title: "box"})
	s.ChangeIssue(octoBench, closed, func(i *standin.Issue) { i.State = "closed" })
	if i, err := c.OpenIssue(ctx, "box"); err != nil || i.Number != 0 {
		t.Errorf("a pull request or a closed issue was found: %+v, %v", i, err)
	}
	n, err := c.CreateIssue(ctx, "box", "text")
	if err != nil {
		t.Fatal(err)
	}
	for range 130 { // it is on the second page then
		s.AddIssue(octoBench, standin.Issue{Title: "another"})
	}
	if i, err := c.OpenIssue(ctx, "box"); err != nil || i.Number != n || i.Body != "text" {
		t.Errorf("found %+v, %v, want issue %d", i, err, n)
	}
	if err := c.CommentIssue(ctx, n, "more"); err != nil {
		t.Error(err)
	}
	if err := c.SetIssue(ctx, n, "over", "closed"); err != nil {
		t.Error(err)
	}
	if got := s.Issues(octoBench)[n-1]; got.State != "closed" || got.Body != "over" || len(got.Comments) != 1 || got.Title != "box" {
		t.Errorf("at GitHub it is %+v", got)
	}
}

// A search ends, however many issues a repository has.
func TestTheSearchForAnIssueIsBounded(t *testing.T) {
	t.Parallel()
	s := standIn(t)
	s.AddIssue(octoBench, standin.Issue{Title: "box"})
	for range 1200 {
		s.AddIssue(octoBench, standin.Issue{Title: "another"})
	}
	c := against(t, s, spec.Repository, Credentials{Token: canary, Source: "GH_TOKEN"})
	if i, err := c.OpenIssue(t.Context(), "box"); err != nil || i.Number != 0 {
		t.Errorf("%+v, %v", i, err)
	}
	if n := len(s.Requests()); n != mostIssuePages {
		t.Errorf("%d requests, want %d", n, mostIssuePages)
	}
}

func TestWhyThereIsNoIssue(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		scope  spec.Scope
		before func(*standin.Server)
		says   string
		gone   bool
	}{
		"of an organisation": {scope: spec.Organization, says: "cannot edit issue 1 of organization octo: an issue belongs to a repository, and runner.url names the organization octo; use notify.webhook"},
		"turned off":         {before: func(s *standin.Server) { s.DisableIssues(octoBench) }, says: "(410: Issues are disabled for this repo); if the repository's issues are turned off, turn them on or take notify.issue out of the spec", gone: true},
		"deleted":            {before: func(s *standin.Server) { s.DeleteIssue(octoBench, 1) }, says: "(410: This issue was deleted)", gone: true},
		"unknown":            {before: func(s *standin.Server) {}, says: "cannot edit issue 1 of octo/bench: GitHub answers 404", gone: true},
		"not allowed": {before: func(s *standin.Server) { s.Fail(standin.Fault{Mode: standin.Forbidden, Path: "/repos/*/*/issues/*"}) },
			says: "the credentials from GH_TOKEN may not do this (403: Resource not accessible by personal access token); they need the repository permission `Issues: write`"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, scope := standIn(t), c.scope
			if name != "unknown" {
				s.AddIssue(octoBench, standin.Issue{Title: "box"})
			}
			if c.before != nil {
				c.before(s)
			}
			if scope == "" {
				scope = spec.Repository
			}
			err := against(t, s, scope, Credentials{Token: canary, Source: "GH_TOKEN"}).SetIssue(t.Context(), 1, "x", "open")
			if err == nil || !strings.Contains(err.Error(), c.says) || errors.Is(err, actions.ErrNotFound) != c.gone {
				t.Errorf("it says: %v\nwant: %s (gone: %v)", err, c.says, c.gone)
			}
		})
	}
}

// When a token ends is known from whatever was asked, without another request.
func TestWhenTheTokenEnds(t *testing.T) {
	t.Parallel()
	s := standIn(t)
	c := against(t, s, spec.Repository, Credentials{Token: canary, Source: "GH_TOKEN"})
	ask := func() {
		t.Helper()
		if _, err := c.Runners(t.Context(), "box"); err != nil {
			t.Fatal(err)
		}
	}
	if at, known := c.TokenEnds(); known {
		t.Errorf("it ends at %s, and GitHub was not asked yet", at)
	}
	ask()
	if at, known := c.TokenEnds(); !known || !at.IsZero() {
		t.Errorf("it ends at %s (%v), and GitHub said nothing of that", at, known)
	}
	want := time.Date(2026, 11, 30, 12, 30, 0, 0, time.UTC)
	s.EndToken(canary, want)
	s.AddRunner(octoBench, "box")
	ask()
	if at, known := c.TokenEnds(); !known || !at.Equal(want) {
		t.Errorf("it ends at %s (%v), want %s", at, known, want)
	}
	if n := len(s.Requests()); n != 2 {
		t.Errorf("%d requests, want 2", n)
	}
}

func TestDeprecation(t *testing.T) {
	t.Parallel()
	s := standIn(t)
	end := time.Date(2026, 12, 24, 0, 0, 0, 0, time.UTC)
	s.Deprecate(standin.Deprecation{Version: "2.335.0", Runtime: end, Registration: end})
	c := against(t, s, spec.Repository, Credentials{Token: canary, Source: "GH_TOKEN"})
	if d, err := c.Deprecation(t.Context(), "2.335.0"); err != nil || !d.Runtime.Equal(end) {
		t.Errorf("%+v, %v", d, err)
	}
	if d, err := c.Deprecation(t.Context(), "2.336.0"); err != nil || d != (actions.Deprecation{}) {
		t.Errorf("a version that GitHub says nothing of: %+v, %v", d, err)
	}
	s.Fail(standin.Fault{Mode: standin.Forbidden, Path: "/repos/*/*/actions/runners/deprecations/*"})
	if _, err := c.Deprecation(t.Context(), "2.335.0"); err == nil || !strings.Contains(err.Error(), "cannot learn how long runner 2.335.0 will work: ") {
		t.Errorf("refused: %v", err)
	}
}
