// Package actions is the vocabulary of GitHub Actions' self-hosted runners:
// plain data, the errors that callers branch on, and a type for secrets. It
// lets the resources speak of GitHub without knowing how GitHub is reached;
// the REST client is in internal/github.
package actions

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"
)

// ErrNotFound is GitHub's 404: there is no such thing, or the credentials may
// not know of it. GitHub does not tell the two apart.
var ErrNotFound = errors.New("not found")

// ErrForbidden is GitHub's 403: the credentials may not do this.
var ErrForbidden = errors.New("forbidden")

// A Runner is a registration as GitHub sees it.
type Runner struct {
	ID        int64   `json:"id"`
	Name      string  `json:"name"`
	Status    string  `json:"status"` // online or offline
	Busy      bool    `json:"busy"`
	GroupID   int64   `json:"runner_group_id"` // 0 where the scope has no groups
	Version   string  `json:"version"`         // "" before its first connection, and from older GHES
	Ephemeral bool    `json:"ephemeral"`
	Labels    []Label `json:"labels"`
}

// A JITRequest asks for a just-in-time registration: that of a runner for one
// job. It gets the labels that are named here and no others.
type JITRequest struct {
	Name    string   `json:"name"`
	GroupID int64    `json:"runner_group_id"` // 1 where the scope has no groups
	Labels  []string `json:"labels"`
	WorkDir string   `json:"work_folder"`
}

// A JIT is a just-in-time registration. Config has the runner's private key in
// it: the files that config.sh would have written, by their names and each in
// base64, as JSON in base64. Source: Runner.Listener/Runner.cs of the runner.
type JIT struct {
	Runner Runner
	Config Secret
}

// Online reports whether the runner is connected to GitHub.
func (r Runner) Online() bool { return r.Status == "online" }

// A Label is what jobs choose a runner by. GitHub compares names without
// regard to case.
type Label struct {
	Name string `json:"name"`
	Type string `json:"type"` // read-only or custom
}

// ReadOnly reports whether the label came with the registration (the defaults
// self-hosted, Linux, X64) and can neither be sent nor removed.
func (l Label) ReadOnly() bool { return l.Type == "read-only" }

// A Group holds runners of an organisation or enterprise, and says who may use
// them.
type Group struct {
	ID         int64    `json:"id"`
	Name       string   `json:"name"`
	Default    bool     `json:"default"`
	Visibility string   `json:"visibility"` // all, selected or private
	Public     bool     `json:"allows_public_repositories"`
	Restricted bool     `json:"restricted_to_workflows"`
	Workflows  []string `json:"selected_workflows"`
}

// A Repository as far as it matters who can send it jobs.
type Repository struct {
	FullName string `json:"full_name"`
	Private  bool   `json:"private"`
	Branch   string `json:"default_branch"`
}

// A File of a repository.
type File struct {
	Path string
	Text []byte
}

// A Download is a runner package that GitHub wants a scope to use now.
type Download struct {
	OS           string `json:"os"`           // linux, osx, win
	Architecture string `json:"architecture"` // x64, arm64, arm
	URL          string `json:"download_url"`
	Filename     string `json:"filename"`
	SHA256       string `json:"sha256_checksum"` // in hex; "" when GitHub gives none
}

// A Deprecation says until when GitHub hands jobs to a runner version
// (Runtime) and lets it register. A zero time: it has not said.
type Deprecation struct {
	Version      string    `json:"runner_version"`
	Runtime      time.Time `json:"runtime_deprecates_at"`
	Registration time.Time `json:"registration_deprecates_at"`
}

// An Issue of a repository. GitHub's lists have pull requests among them.
type Issue struct {
	Number      int       `json:"number"`
	Title       string    `json:"title"`
	Body        string    `json:"body"`
	State       string    `json:"state"`        // open or closed
	PullRequest *struct{} `json:"pull_request"` // nil for an issue
}

// A Secret never prints: not with any verb of fmt, not in a log, not as a value in JSON.
// Reveal is the one way to its text, so that its uses can be found.
type Secret string

const hidden = "[secret]"

// Reveal returns the text itself.
func (s Secret) Reveal() string { return string(s) }

// Format hides the text from every verb of fmt, %x and %d included.
func (Secret) Format(w fmt.State, _ rune) { _, _ = io.WriteString(w, hidden) }

// String hides the text.
func (Secret) String() string { return hidden }

// GoString hides the text from whatever prints Go syntax.
func (Secret) GoString() string { return hidden }

// LogValue hides the text from log/slog.
func (Secret) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalText hides the text from JSON and other encodings.
func (Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }
