package dispatch

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/github/actions"
)

// Schema names the shape of a [Report] in JSON. Its keys never change their
// meaning; new ones may come.
const Schema = "benchctl/dispatch/v1"

// GitHub's words for a run or job at its end, and for one that went well.
const (
	completed = "completed"
	success   = "success"
)

// A Report is the answer. Times are UTC. Names are as their authors wrote them.
type Report struct {
	Schema     string     `json:"schema"`
	OK         bool       `json:"ok"` // the run succeeded, and on this host
	Error      string     `json:"error,omitempty"`
	Runner     string     `json:"runner"` // this host's
	Repository string     `json:"repository"`
	Workflow   string     `json:"workflow"` // path of the file
	Ref        string     `json:"ref"`
	Fired      bool       `json:"fired"` // it was started by this dispatch
	Run        *RunOf     `json:"run"`
	Jobs       []Job      `json:"jobs"`
	Artifacts  []Artifact `json:"artifacts"`
}

// RunOf is the run, in GitHub's words.
type RunOf struct {
	ID         int64     `json:"id"`
	Attempt    int       `json:"attempt,omitempty"`
	Status     string    `json:"status"`
	Conclusion string    `json:"conclusion,omitempty"`
	URL        string    `json:"url"`
	SHA        string    `json:"sha,omitempty"`
	Created    time.Time `json:"created,omitzero"`
}

// A Job is one of the run's. QueuedMS and ElapsedMS are GitHub's, in whole
// seconds; PickUpMS is this host's, from the dispatch to the line in the journal.
type Job struct {
	Name       string    `json:"name"`
	Status     string    `json:"status"`
	Conclusion string    `json:"conclusion,omitempty"`
	URL        string    `json:"url"`
	Labels     []string  `json:"labels"`
	Runner     string    `json:"runner,omitempty"`
	Here       bool      `json:"here"` // GitHub says that this host's runner had it
	Journal    string    `json:"journal,omitempty"`
	Said       time.Time `json:"said,omitzero"` // "Running job", in this host's journal
	Started    time.Time `json:"started,omitzero"`
	QueuedMS   int64     `json:"queued_ms,omitempty"`
	ElapsedMS  int64     `json:"elapsed_ms,omitempty"`
	PickUpMS   int64     `json:"pick_up_ms,omitempty"`
	Steps      []Step    `json:"steps,omitempty"`

	ours bool // its labels are all this runner's
}

// A Step of a job.
type Step struct {
	Name       string `json:"name"`
	Status     string `json:"status"`
	Conclusion string `json:"conclusion,omitempty"`
	ElapsedMS  int64  `json:"elapsed_ms,omitempty"`
}

// An Artifact that the run left.
type Artifact struct {
	Name    string    `json:"name"`
	Size    int64     `json:"size"` // bytes, of the zip
	Expires time.Time `json:"expires,omitzero"`
	Expired bool      `json:"expired,omitempty"`
	Dir     string    `json:"dir,omitempty"` // where it was unpacked
	Files   int       `json:"files,omitempty"`
}

// take notes what GitHub says of the run.
func (r *Report) take(run actions.Run) {
	r.Run = &RunOf{
		ID: run.ID, Attempt: run.Attempt, Status: run.Status, Conclusion: run.Conclusion,
		URL: run.URL, SHA: run.SHA, Created: run.Created.UTC(),
	}
	r.Workflow, r.Ref = cmp.Or(r.Workflow, run.Path), cmp.Or(r.Ref, run.Branch)
}

// Waited is how long a job was in the queue, and took, by GitHub's clock.
func waited(j actions.RunJob) (queued, elapsed time.Duration) {
	if waiting(j) {
		return 0, 0
	}
	queued = max(j.Started.Sub(j.Created), 0)
	if !j.Completed.IsZero() {
		elapsed = max(j.Completed.Sub(j.Started), 0)
	}
	return queued, elapsed
}

// waiting reports whether no runner has a job yet.
func waiting(j actions.RunJob) bool { return j.RunnerName == "" && j.Status != completed }

// jobOf is a job with what this host knows of it.
func (d *dispatcher) jobOf(j actions.RunJob) Job {
	queued, elapsed := waited(j)
	out := Job{
		Name: j.Name, Status: j.Status, Conclusion: j.Conclusion, URL: j.URL, Labels: j.Labels, Runner: j.RunnerName, Here: d.here(j),
		QueuedMS: queued.Milliseconds(), ElapsedMS: elapsed.Milliseconds(), ours: len(j.Labels) > 0 && len(lacking(j.Labels, d.labels)) == 0,
	}
	if !waiting(j) {
		out.Started = j.Started.UTC()
	}
	if s, is := d.spotted[j.ID]; is {
		out.Journal, out.Said = s.what, s.at
		if !s.at.IsZero() && !d.fired.IsZero() {
			out.PickUpMS = s.at.Sub(d.fired).Milliseconds()
		}
	}
	for _, s := range j.Steps {
		step := Step{Name: s.Name, Status: s.Status, Conclusion: s.Conclusion}
		if !s.Completed.IsZero() {
			step.ElapsedMS = max(s.Completed.Sub(s.Started), 0).Milliseconds()
		}
		out.Steps = append(out.Steps, step)
	}
	return out
}

// lacking lists the labels that a runner has not.
func lacking(want, have []string) []string {
	return slices.DeleteFunc(slices.Clone(want), func(label string) bool {
		return slices.ContainsFunc(have, func(h string) bool { return strings.EqualFold(h, label) })
	})
}

// verdict is the sentence that says why the answer is no, nil for yes.
func (r *Report) verdict(runner string) error {
	if r.Run.Status != completed {
		return nil
	}
	var why []string
	if r.Run.Conclusion != success {
		why = append(why, fmt.Sprintf("run %d ended with %s%s; see %s", r.Run.ID, cmp.Or(r.Run.Conclusion, "no conclusion"), r.failing(), r.Run.URL))
	}
	here, stray := 0, []string{}
	for _, j := range r.Jobs {
		switch {
		case j.Here && j.Journal == missing:
			why = append(why, fmt.Sprintf("GitHub says that %s ran job %s, and the journal of this host knows of none at that time: another machine may run under that name", runner, j.Name))
			here++
		case j.Here:
			here++
		case j.ours && j.Runner != "":
			stray = append(stray, fmt.Sprintf("job %s ran on %s", j.Name, j.Runner))
		}
	}
	switch {
	case len(stray) > 0:
		why = append(why, fmt.Sprintf("it did not run on %s: %s, which has the same labels; give this runner a label of its own", runner, strings.Join(stray, ", ")))
	case here == 0 && r.Run.Conclusion == success:
		why = append(why, fmt.Sprintf("run %d succeeded, but none of its jobs ran on %s: %s", r.Run.ID, runner, r.places()))
	}
	if len(why) == 0 {
		return nil
	}
	return fmt.Errorf("%s", strings.Join(why, "; "))
}

// failing names what did not succeed.
func (r *Report) failing() string {
	var all []string
	for _, j := range r.Jobs {
		if j.Conclusion == success || j.Conclusion == "skipped" || j.Conclusion == "" {
			continue
		}
		what := fmt.Sprintf("job %s: %s", j.Name, j.Conclusion)
		for _, s := range j.Steps {
			if s.Conclusion != "" && s.Conclusion == j.Conclusion {
				what += " at step " + s.Name
				break
			}
		}
		all = append(all, what)
	}
	if len(all) == 0 {
		return ""
	}
	return " (" + strings.Join(all, "; ") + ")"
}

// places says where each job ran.
func (r *Report) places() string {
	var all []string
	for _, j := range r.Jobs {
		all = append(all, fmt.Sprintf("%s on %s", j.Name, cmp.Or(j.Runner, "none")))
	}
	if len(all) == 0 {
		return "it has none"
	}
	return strings.Join(all, ", ")
}
