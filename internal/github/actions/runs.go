package actions

import (
	"errors"
	"fmt"
	"time"
)

var (
	// ErrAway says that GitHub was not reached, did not answer, was in trouble
	// or wants fewer requests: the same question may be answered later.
	ErrAway = errors.New("away")
	// ErrUnsure says that GitHub may have done what it was asked, and did not
	// say so: whoever asks again may have it done twice. It wraps [ErrAway].
	ErrUnsure = fmt.Errorf("unsure: %w", ErrAway)
)

// A Workflow of a repository, as GitHub lists it.
type Workflow struct {
	ID    int64  `json:"id"`
	Name  string `json:"name"`
	Path  string `json:"path"`  // .github/workflows/FILE.yml
	State string `json:"state"` // active, disabled_manually, disabled_inactivity, ...
}

// A Run of a workflow.
type Run struct {
	ID         int64     `json:"id"`
	WorkflowID int64     `json:"workflow_id"`
	Attempt    int       `json:"run_attempt"`
	Path       string    `json:"path"` // of its workflow
	Branch     string    `json:"head_branch"`
	SHA        string    `json:"head_sha"`
	Event      string    `json:"event"`
	Status     string    `json:"status"`     // requested, waiting, pending, queued, in_progress or completed
	Conclusion string    `json:"conclusion"` // success, failure, cancelled, ...; "" until it is completed
	URL        string    `json:"html_url"`
	Created    time.Time `json:"created_at"`
	Actor      struct {
		Login string `json:"login"`
	} `json:"actor"`
}

// Completed reports whether nothing more will happen to the run.
func (r Run) Completed() bool { return r.Status == "completed" }

// A RunJob is a job of a run. Times are GitHub's, in whole seconds.
type RunJob struct {
	ID         int64     `json:"id"`
	Name       string    `json:"name"`
	Status     string    `json:"status"`
	Conclusion string    `json:"conclusion"`
	Labels     []string  `json:"labels"` // that it asks for
	RunnerID   int64     `json:"runner_id"`
	RunnerName string    `json:"runner_name"` // "" until a runner has it
	URL        string    `json:"html_url"`
	Created    time.Time `json:"created_at"`
	Started    time.Time `json:"started_at"` // of a job that waits, when it was made
	Completed  time.Time `json:"completed_at"`
	Steps      []Step    `json:"steps"`
}

// A Step of a job.
type Step struct {
	Number     int       `json:"number"`
	Name       string    `json:"name"`
	Status     string    `json:"status"`
	Conclusion string    `json:"conclusion"`
	Started    time.Time `json:"started_at"`
	Completed  time.Time `json:"completed_at"`
}

// An Artifact is what a run left, one zip.
type Artifact struct {
	ID      int64     `json:"id"`
	Name    string    `json:"name"`
	Size    int64     `json:"size_in_bytes"` // of the zip
	Expired bool      `json:"expired"`
	Expires time.Time `json:"expires_at"`
	Digest  string    `json:"digest"` // sha256:HEX of the zip; "" from older GHES
}
