package dispatch

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/SKaiNET-developers/benchctl/internal/github/actions"
	"github.com/SKaiNET-developers/benchctl/internal/workflow"
)

// choose finds the workflow that is meant: by its id, path or file, else by its
// name, which several may have.
func (d *dispatcher) choose(ctx context.Context) (actions.Workflow, error) {
	all, err := d.GitHub.ListWorkflows(ctx)
	if err != nil {
		return actions.Workflow{}, err
	}
	var found []actions.Workflow
	for _, is := range []func(actions.Workflow) bool{
		func(w actions.Workflow) bool { return strconv.FormatInt(w.ID, 10) == d.Workflow },
		func(w actions.Workflow) bool { return w.Path == strings.TrimPrefix(d.Workflow, "./") },
		func(w actions.Workflow) bool { return path.Base(w.Path) == d.Workflow },
		func(w actions.Workflow) bool { return strings.EqualFold(w.Name, d.Workflow) },
	} {
		if found = slices.DeleteFunc(slices.Clone(all), func(w actions.Workflow) bool { return !is(w) }); len(found) > 0 {
			break
		}
	}
	switch {
	case len(found) == 0:
		return actions.Workflow{}, fmt.Errorf("cannot find the workflow %s: %s has %s; one that is new must be on the default branch first", d.Workflow, d.Repo, listed(all))
	case len(found) > 1:
		return actions.Workflow{}, fmt.Errorf("cannot tell which workflow is meant: %s are called %s; name its file", listed(found), d.Workflow)
	case found[0].State != "active":
		return actions.Workflow{}, fmt.Errorf("cannot dispatch %s: it is disabled at GitHub (%s); enable it at %s/actions/workflows/%s", path.Base(found[0].Path), found[0].State, d.Page, path.Base(found[0].Path))
	}
	return found[0], nil
}

// mostListed is how many workflows a sentence names.
const mostListed = 10

func listed(all []actions.Workflow) string {
	var names []string
	for _, w := range all {
		names = append(names, fmt.Sprintf("%s (%s)", path.Base(w.Path), w.Name))
	}
	if n := len(names); n > mostListed {
		names = append(names[:mostListed], fmt.Sprintf("and %d more", n-mostListed))
	}
	if len(names) == 0 {
		return "none that GitHub knows"
	}
	return strings.Join(names, ", ")
}

// check reads the workflow as it is at the ref, and compares what it asks for
// with what it is given and what this runner has.
func (d *dispatcher) check(ctx context.Context, w actions.Workflow) error {
	file := path.Base(w.Path)
	if d.Ref == "" {
		r, err := d.GitHub.Repository(ctx)
		if err != nil {
			return err
		}
		d.Ref = r.Branch
	}
	text, err := d.GitHub.File(ctx, w.Path, d.Ref)
	if errors.Is(err, actions.ErrNotFound) {
		return fmt.Errorf("cannot dispatch %s at %s: %s has no branch or tag of that name, or the file is not on it; check --ref, which a commit cannot be", file, d.Ref, d.Repo)
	}
	if err != nil {
		return err
	}
	flow, err := workflow.Parse(text)
	if err != nil {
		return fmt.Errorf("cannot dispatch %s at %s: %w; correct the file", file, d.Ref, err)
	}
	if !flow.Dispatchable() {
		return fmt.Errorf("cannot dispatch %s at %s: only %s start it; add workflow_dispatch to its triggers below on, on the default branch too", file, d.Ref, strings.Join(flow.Triggers, ", "))
	}
	if problems := flow.Problems(d.Inputs); len(problems) > 0 {
		return fmt.Errorf("cannot dispatch %s at %s: %s; it takes %s", file, d.Ref, strings.Join(problems, "; "), takes(flow.Inputs))
	}
	d.report.Workflow, d.report.Ref = w.Path, d.Ref
	return d.compare(file, flow.Jobs)
}

// takes lists the inputs of a workflow.
func takes(inputs []workflow.Input) string {
	var all []string
	for _, in := range inputs {
		name := in.Name
		if in.Required && !in.Default {
			name += " (required)"
		}
		all = append(all, name)
	}
	if len(all) == 0 {
		return "no inputs"
	}
	return "--input " + strings.Join(all, ", ")
}

// compare says of each job whether it can come to this runner. It is an error
// that certainly none can.
func (d *dispatcher) compare(file string, jobs []workflow.Job) error {
	var why []string
	comes := false
	for _, j := range jobs {
		lacks := strings.Join(j.Lacks(d.labels), ", ")
		asks := fmt.Sprintf("job %s asks for %s", j.Name, strings.Join(j.Labels, ", "))
		line := ""
		switch {
		case j.Calls != "":
			line, comes = fmt.Sprintf("job %s calls %s: where it runs cannot be told", j.Name, j.Calls), true
		case j.Dynamic != "":
			line, comes = fmt.Sprintf("job %s: where it runs cannot be told, it depends on an expression: %s", j.Name, j.Dynamic), true
		case j.Group != "":
			line, comes = fmt.Sprintf("job %s asks for a runner of the group %s: whether %s is in it cannot be told", j.Name, j.Group, d.Runner), true
		case len(j.Labels) == 0:
			line = fmt.Sprintf("job %s does not say where it runs", j.Name)
		case lacks == "":
			line, comes = fmt.Sprintf("%s: %s has them all", asks, d.Runner), true
		case j.Meant(d.labels):
			line = fmt.Sprintf("%s, and %s lacks %s", asks, d.Runner, lacks)
		default:
			line = asks + ": not for this runner"
		}
		why = append(why, line)
	}
	if !comes {
		return fmt.Errorf("cannot dispatch %s: none of its jobs can come to %s: %s; add what is missing to runner.labels and run benchctl apply, or correct runs-on",
			file, d.Runner, strings.Join(why, "; "))
	}
	for _, line := range why {
		d.Said(line)
	}
	d.caveats()
	return nil
}
