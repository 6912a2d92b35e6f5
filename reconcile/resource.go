// Package reconcile is the contract that every resource keeps and the engine
// that executes a list of them. It knows no kind, no YAML, no schedule and no
// terminal.
package reconcile

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/host"
)

// A Resource is one thing on the host that should be a certain way.
//
// Diff says what differs, and nil when nothing does. It never changes
// anything. An error that wraps [ErrUnknown], [ErrUnsupported] or [ErrWithheld]
// may come with changes: what could be seen counts, and is applied. Changes that
// come with any other error are shown, and nothing is applied.
//
// Apply makes it so. It is called only after Diff found changes, one call must
// be enough, and a call that was killed half-way is mended by the next. The
// engine calls Diff again afterwards; what still differs is a failure.
type Resource interface {
	ID() ID
	Diff(context.Context, host.Reader) ([]Change, error)
	Apply(context.Context, host.Host) error
}

// A Dependent resource is skipped when one that it needs failed.
type Dependent interface {
	// Needs lists kinds.
	Needs() []string
}

// A Preparer does what can fail before the runner's service has to go down for
// it: what it refuses or cannot fetch leaves a running service up. It is called
// with the runner held, and changes nothing that a job could notice.
type Preparer interface {
	Prepare(context.Context, host.Host) error
}

// A Provisional resource's change proves itself only once the service runs with
// it. When all is settled it is asked whether that came about.
type Provisional interface {
	// Verdict says why what was there is not any more, and nil when it stands.
	Verdict() error
}

// An ID names a resource: KIND or KIND/NAME. It never changes.
type ID struct{ Kind, Name string }

func (id ID) String() string {
	if id.Name == "" {
		return id.Kind
	}
	return id.Kind + "/" + id.Name
}

// MarshalText makes an ID print as itself in JSON.
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (id *ID) UnmarshalText(b []byte) error {
	id.Kind, id.Name, _ = strings.Cut(string(b), "/")
	return nil
}

// A Change is one field that differs. Have and Want are what a person would
// write; a secret never appears in them.
type Change struct {
	Field   string   `json:"field"`
	Have    string   `json:"have"`
	Want    string   `json:"want"`
	Effects []Effect `json:"-"`
	// Asked: whoever runs this asks for it, and not the spec alone. It is no drift.
	Asked bool `json:"-"`

	// What is known of a change that nobody asked for.
	Since      *time.Time `json:"since,omitempty"`      // when it was last seen to be right, UTC
	Cause      string     `json:"cause,omitempty"`      // what did it, where that can be known
	Corrective bool       `json:"corrective,omitempty"` // the spec wanted the same when it was right
}

// An Effect is what a change brings about beyond itself.
type Effect string

// The effects that a change can have.
const (
	Restart    Effect = "restart"     // the runner's service has to be down for it
	Reregister Effect = "re-register" // the registration at GitHub is made anew
	Reboot     Effect = "reboot"      // in force only after a reboot, which the operator does
)

// What a Diff may say instead of an answer.
var (
	// ErrUnknown: it could not be seen. The error says why, and what would show it.
	ErrUnknown = errors.New("unknown")
	// ErrUnsupported: this host cannot. The error says what was looked for.
	ErrUnsupported = errors.New("not supported here")
	// ErrWithheld: it is not made so for now, and the error says why. That is a
	// failure; but what there is instead works, so that what needs it goes on.
	ErrWithheld = errors.New("withheld")
)

// ErrBusy says that a job is running, or may be; nothing was touched.
var ErrBusy = errors.New("a job is running")
