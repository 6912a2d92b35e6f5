package doctor

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/github/actions"
	"github.com/SKaiNET-developers/benchctl/internal/workflow"
	"github.com/SKaiNET-developers/benchctl/spec"
)

// soon is how long before its end a deadline is a warning.
const soon = 14 * 24 * time.Hour

// jobs asks GitHub how long the runner will be served, and whose jobs reach it.
func (d *Doctor) jobs(ctx context.Context) []Check {
	g := &group{name: "jobs"}
	if d.GitHub == nil {
		g.add(Unknown, "who reaches this runner", "set GITHUB_TOKEN or github.tokenFile, and leave --offline out", "GitHub was not asked: there are no credentials, or --offline was given")
		return g.checks
	}
	d.version(ctx, g)
	if d.shared() {
		d.groups(ctx, g)
	}
	if d.Repository == nil {
		g.add(Unknown, "workflows", "name one after the other with --repo OWNER/NAME", "the jobs of every repository of %s may reach this runner, and no repository was named", d.Spec.Runner.URL.Owner)
		return g.checks
	}
	public := d.repository(ctx, g)
	files, unread, err := d.Repository.Workflows(ctx)
	if err != nil {
		g.add(Unknown, "workflows", "", "%v", err)
	}
	if err == nil || len(files) > 0 {
		d.workflows(g, files, unread, public)
	}
	if unread > 0 {
		g.add(Unknown, "workflows", "see in the others which of their jobs ask for this runner's labels", "the repository has %d workflows, of which %d were read", len(files)+unread, len(files))
	}
	return g.checks
}

// shared reports whether many repositories have the runner in common.
func (d *Doctor) shared() bool { return d.Spec.Runner.URL.Scope != spec.Repository }

func (d *Doctor) version(ctx context.Context, g *group) {
	v := d.Spec.Runner.Version
	if v == "latest" {
		g.ok("runner version", "latest is resolved by apply")
		return
	}
	if least, tooOld := d.Spec.Runner.URL.TooOld(v); tooOld {
		g.add(Error, "runner version", "set runner.version to a newer one", "GitHub registers no runner older than %s, and this is %s", least, v)
		return
	}
	end, err := d.GitHub.Deprecation(ctx, v)
	switch {
	case err != nil:
		g.add(Unknown, "runner version", "", "%v", err)
	case end.Runtime.IsZero():
		g.ok("runner version", "%s; GitHub says nothing of its end", v)
	case end.Runtime.Before(d.Now):
		g.add(Error, "runner version", "set runner.version to a newer one", "GitHub gives %s no jobs since %s", v, end.Runtime.Format(time.DateOnly))
	case end.Runtime.Sub(d.Now) < soon:
		g.add(Warning, "runner version", "set runner.version to a newer one before", "GitHub gives %s jobs until %s", v, end.Runtime.Format(time.DateOnly))
	default:
		g.ok("runner version", "%s gets jobs until %s", v, end.Runtime.Format(time.DateOnly))
	}
}

func (d *Doctor) repository(ctx context.Context, g *group) (public bool) {
	r, err := d.Repository.Repository(ctx)
	switch {
	case err != nil:
		g.add(Unknown, "repository", "", "%v", err)
	case r.Private:
		g.ok("repository", "private")
	default:
		g.add(Warning, "repository", "have Actions ask before they run for outside contributors (Settings, Actions, General)",
			"it is public: whoever opens a pull request may try to run code on this host")
		return true
	}
	return false
}

// groups says what the runner's group lets in.
func (d *Doctor) groups(ctx context.Context, g *group) {
	all, err := d.GitHub.Groups(ctx, 0)
	if err != nil {
		g.add(Unknown, "runner group", "", "%v", err)
		return
	}
	want := d.Spec.Runner.Group
	for _, group := range all {
		if !strings.EqualFold(group.Name, want) && (want != "" || !group.Default) {
			continue
		}
		said := fmt.Sprintf("%s is open to %s repositories", group.Name, orSome(group.Visibility, "which, GitHub does not say"))
		switch {
		case group.Public:
			g.add(Warning, "runner group", "keep public repositories out of the group", "%s, public ones too: whoever opens a pull request there may try to run code on this host", said)
		case group.Restricted:
			g.ok("runner group", "%s, and only to the workflows %s", said, strings.Join(group.Workflows, ", "))
		default:
			g.ok("runner group", "%s, and to no public one", said)
		}
		return
	}
	g.add(Error, "runner group", "make it at GitHub, or take runner.group out of the spec", "there is no group %s", orSome(want, "Default"))
}

// workflows says of each job that means a runner like this one whether it
// reaches it.
func (d *Doctor) workflows(g *group, files []actions.File, unread int, public bool) {
	reached := 0
	flows := map[string]*workflow.Workflow{}
	for _, file := range files {
		flow, err := workflow.Parse(file.Text)
		if err != nil {
			g.add(Unknown, "workflow", "", "cannot read %s: %v", file.Path, err)
			continue
		}
		flows[file.Path] = &flow
	}
	workflow.Inherit(flows)
	for _, file := range files {
		flow := flows[file.Path]
		if flow == nil {
			continue
		}
		for _, j := range flow.Jobs {
			if j.Calls != "" && flows[j.Local()] != nil {
				continue // its jobs are told of where they are
			}
			if d.job(g, workJob{j, *flow, file.Path}, public) {
				reached++
			}
		}
	}
	if reached == 0 && unread == 0 {
		labels := d.Spec.Runner.Labels
		if len(labels) == 0 {
			labels = spec.DefaultLabels
		}
		what := fmt.Sprintf("no job of the workflows on the default branch (%d) reaches this runner", len(files))
		if len(files) == 0 {
			what = "there is no workflow on the default branch"
		}
		g.add(Warning, "workflows", "give a job runs-on: ["+strings.Join(labels, ", ")+"]", "%s", what)
	}
}

// A workJob is a job with the workflow that it is of.
type workJob struct {
	workflow.Job
	of   workflow.Workflow
	file string
}

func (j workJob) String() string { return fmt.Sprintf("job %s of %s", j.Name, j.file) }

// job says what is to be said of one; it reports whether the job can come here.
func (d *Doctor) job(g *group, j workJob, public bool) bool {
	on := strings.Join(j.of.Triggers, ", ")
	missing := j.Lacks(d.Labels)
	switch {
	case j.Calls != "":
		g.add(Unknown, "job", "see there where its jobs run", "%s calls %s, on %s", j, j.Calls, on)
		return false
	case j.Dynamic != "":
		g.add(Unknown, "job", "", "%s chooses its runner when it runs: %s", j, j.Dynamic)
		return false
	case j.Group != "" && !d.shared():
		g.add(Unknown, "job", "", "%s asks for the group %s, which a repository's runner is not in", j, j.Group)
		return false
	case j.Group != "" && !strings.EqualFold(j.Group, orSome(d.Spec.Runner.Group, "Default")):
		g.add(Unknown, "job", "", "%s asks for the group %s, and this runner is in %s", j, j.Group, orSome(d.Spec.Runner.Group, "Default"))
		return false
	case len(j.Labels) == 0 && j.Group == "", len(missing) > 0 && !j.Meant(d.Labels):
		return false
	case len(missing) > 0:
		g.add(Warning, "job", "add it to runner.labels, or correct runs-on",
			"%s asks for %s, which this runner lacks: unless another one has it, the job waits for ever", j, strings.Join(missing, ", "))
		return false
	}
	if foreign := j.of.Foreign(); len(foreign) > 0 && public {
		g.add(Warning, "job", "let it run on other runners, or on other triggers",
			"%s reaches this runner on %s: with %s, somebody from outside brings the code", j, on, strings.Join(foreign, " and "))
	} else {
		g.ok("job", "%s reaches this runner on %s", j, on)
	}
	return true
}
