package notify_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/github"
	"github.com/SKaiNET-developers/benchctl/internal/github/actions"
	"github.com/SKaiNET-developers/benchctl/internal/notify"
	"github.com/SKaiNET-developers/benchctl/internal/standin"
	"github.com/SKaiNET-developers/benchctl/spec"
)

// fakeIssues keeps one issue and notes what was asked.
type fakeIssues struct {
	issue actions.Issue
	fail  map[string]error // by method
	log   []string
}

func (f *fakeIssues) did(method string, more ...any) error {
	f.log = append(f.log, fmt.Sprint(method, " ", fmt.Sprint(more...)))
	return f.fail[method]
}

func (f *fakeIssues) OpenIssue(_ context.Context, title string) (actions.Issue, error) {
	if f.issue.State != "open" {
		return actions.Issue{}, f.did("open", title)
	}
	return f.issue, f.did("open", title)
}

func (f *fakeIssues) CreateIssue(_ context.Context, title, body string) (int, error) {
	if err := f.did("create", body); err != nil {
		return 0, err
	}
	f.issue = actions.Issue{Number: f.issue.Number + 1, Title: title, Body: body, State: "open"}
	return f.issue.Number, nil
}

func (f *fakeIssues) SetIssue(_ context.Context, _ int, body, state string) error {
	if err := f.did("set", state, body); err != nil {
		return err
	}
	f.issue.Body, f.issue.State = body, state
	return nil
}

func (f *fakeIssues) CommentIssue(_ context.Context, _ int, body string) error {
	return f.did("comment", body)
}

// atGitHub is a desk whose operator is told by an issue at a stand-in GitHub.
func atGitHub(t *testing.T) (*desk, *standin.Server) {
	t.Helper()
	d := newDesk(t)
	hub, err := standin.Start(standin.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		hub.Close()
		for _, v := range hub.Violations() {
			t.Error(v)
		}
	})
	c, err := github.New(github.Options{
		URL:         spec.URL{Scope: spec.Repository, Owner: "octo", Repo: "bench", API: hub.URL() + "/api/v3/"},
		Credentials: github.Credentials{Token: "ghp_x", Source: "GH_TOKEN"},
	})
	if err != nil {
		t.Fatal(err)
	}
	d.opt.Notify, d.opt.Issues = spec.Notify{Issue: true}, c
	return d, hub
}

var octoBench = standin.Repo("octo/bench")

// tells is a pass without a problem, and how many requests it made.
func (d *desk) tells(hub *standin.Server, after time.Duration, s notify.State) int {
	d.t.Helper()
	hub.ForgetRequests()
	if _, problems := d.pass(after, s); len(problems) > 0 {
		d.t.Errorf("at %s: %v", d.now, problems)
	}
	return len(hub.Requests())
}

func TestOneIssuePerHost(t *testing.T) {
	t.Parallel()
	d, hub := atGitHub(t)
	hub.AddIssue(octoBench, standin.Issue{Title: "benchctl: bench7 needs attention", Body: "somebody else's"})
	fine := report("apply", "cpufreq=unchanged", "jdk=unchanged")
	if n := d.tells(hub, 0, fine); n != 0 {
		t.Errorf("with nothing to tell it made %d requests", n)
	}
	d.tells(hub, half, report("apply", "cpufreq=failed", "jdk=unchanged"))
	got := hub.Issues(octoBench)
	if len(got) != 2 || got[1].Title != "benchctl: bench7 needs attention" || len(got[1].Comments) != 0 ||
		!strings.Contains(got[1].Body, "* **correction failed**: could not be brought into step: cpufreq. Seen since 2026-11-23 12:30 UTC.\n  Next: run `benchctl apply` on the host, which says why.\n") {
		t.Fatalf("issues: %+v", got)
	}
	if n := d.tells(hub, half, report("apply", "cpufreq=failed", "jdk=unchanged")); n != 0 {
		t.Errorf("with nothing new it made %d requests", n)
	}
	d.tells(hub, half, report("apply", "cpufreq=failed", "jdk=failed"))
	d.tells(hub, half, report("apply", "cpufreq=unchanged", "jdk=failed"))
	one := hub.Issues(octoBench)[1]
	if want := []string{
		"* **correction failed**: could not be brought into step: jdk. Next: run `benchctl apply` on the host, which says why.",
		"* over: correction failed: could not be brought into step: cpufreq.",
	}; strings.Join(one.Comments, "|") != strings.Join(want, "|") || one.State != "open" || strings.Contains(one.Body, "cpufreq") || !strings.Contains(one.Body, "jdk") {
		t.Errorf("the issue: %+v\nwant the comments %q", one, want)
	}
	d.tells(hub, half, fine)
	if one = hub.Issues(octoBench)[1]; one.State != "closed" || len(one.Comments) != 3 || !strings.Contains(one.Body, "`bench7` is as it should be again.") {
		t.Errorf("in the end: %+v", one)
	}
	// What comes later is another issue.
	d.tells(hub, 48*time.Hour, report("apply", "cpufreq=failed", "jdk=unchanged"))
	if got := hub.Issues(octoBench); len(got) != 3 || got[2].State != "open" || got[0].Body != "somebody else's" || len(got[0].Comments) > 0 {
		t.Errorf("issues: %+v", got)
	}
}

func TestAnIssueInOtherHands(t *testing.T) {
	t.Parallel()
	d, hub := atGitHub(t)
	bad := report("apply", "cpufreq=failed")
	d.tells(hub, 0, bad)
	hub.ChangeIssue(octoBench, 1, func(i *standin.Issue) { i.State = "closed" })
	d.tells(hub, half, bad)
	if got := hub.Issues(octoBench)[0]; got.State != "closed" {
		t.Errorf("it was opened again at once: %+v", got)
	}
	d.tells(hub, 24*time.Hour, bad)
	if got := hub.Issues(octoBench)[0]; got.State != "open" || len(got.Comments) != 0 {
		t.Errorf("closed by hand, after a day it is %+v", got)
	}
	hub.DeleteIssue(octoBench, 1)
	d.tells(hub, 24*time.Hour, bad)
	if got := hub.Issues(octoBench); len(got) != 2 || got[1].State != "open" {
		t.Errorf("after the issue was deleted: %+v", got)
	}
	// Without a book the issue is found by what it says.
	d.must(d.Remove(notify.File))
	d.tells(hub, half, report("apply", "cpufreq=failed", "jdk=failed"))
	if got := hub.Issues(octoBench); len(got) != 2 || len(got[1].Comments) != 1 {
		t.Errorf("after the book was lost: %+v", got)
	}
}

func TestAnIssueThatCannotBe(t *testing.T) {
	t.Parallel()
	bad := report("apply", "cpufreq=failed")
	d, hub := atGitHub(t)
	hub.DisableIssues(octoBench)
	_, problems := d.pass(0, bad)
	if len(problems) != 1 || !strings.Contains(problems[0].Error(), "cannot list the issues of octo/bench: GitHub says that it is no more (410: Issues are disabled for this repo); if the repository's issues are turned off, turn them on or take notify.issue out of the spec") {
		t.Errorf("issues that are turned off: %v", problems)
	}
	d, _ = atGitHub(t)
	d.opt.Issues = nil
	_, problems = d.pass(0, bad)
	if len(problems) != 1 || !strings.Contains(problems[0].Error(), "cannot keep an issue at GitHub: there are no API credentials; set github.tokenFile or github.app in the spec") {
		t.Errorf("no credentials: %v", problems)
	}
}

// Whatever call fails, the next pass ends with one issue, right and told once.
func TestAnIssueThatIsHalfWritten(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"open", "create", "set", "comment"} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			d, f := newDesk(t), &fakeIssues{fail: map[string]error{}}
			d.opt.Notify, d.opt.Issues = spec.Notify{Issue: true}, f
			step := func(after time.Duration, s notify.State) {
				t.Helper()
				f.fail[method] = errors.New("cut off")
				d.pass(after, s)
				delete(f.fail, method)
				if _, problems := d.pass(time.Minute, s); len(problems) > 0 {
					t.Error(problems)
				}
			}
			step(0, report("apply", "cpufreq=failed"))
			step(half, report("apply", "cpufreq=failed", "jdk=failed"))
			if f.issue.Number != 1 || f.issue.State != "open" || !strings.Contains(f.issue.Body, "jdk") {
				t.Errorf("the issue: %+v", f.issue)
			}
			step(half, report("apply", "cpufreq=unchanged", "jdk=unchanged"))
			if f.issue.Number != 1 || f.issue.State != "closed" {
				t.Errorf("the issue: %+v", f.issue)
			}
			comments := 0
			for _, line := range f.log {
				if strings.HasPrefix(line, "comment") {
					comments++
				}
			}
			want := 2
			if method == "comment" {
				want = 4 // two were cut off
			}
			if comments != want {
				t.Errorf("%d comments were sent, want %d: %q", comments, want, f.log)
			}
		})
	}
}
