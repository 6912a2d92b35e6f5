package status

import (
	"context"
	"slices"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/internal/listener"
	"github.com/SKaiNET-developers/benchctl/resources"
)

// Service is the runner's unit, and what its Listener says.
type Service struct {
	Part
	Unit    string    `json:"unit,omitempty"`
	Ours    bool      `json:"ours"`            // benchctl wrote the unit
	State   string    `json:"state,omitempty"` // systemd's ActiveState
	Sub     string    `json:"sub_state,omitempty"`
	Enabled string    `json:"enabled,omitempty"` // systemd's UnitFileState
	Since   time.Time `json:"since,omitzero"`    // active since
	Spent   bool      `json:"spent,omitempty"`   // an ephemeral runner's that has had its one job, and waits for its next registration

	// Of this invocation; zero: the journal does not say.
	Connected time.Time `json:"connected,omitzero"`
	Listening time.Time `json:"listening,omitzero"`

	Reconnects  int       `json:"reconnects_24h"`
	Reconnected time.Time `json:"reconnected,omitzero"` // the last time, if in these 24 hours
	Said        string    `json:"said,omitempty"`       // why it is taken to listen or not, in the Listener's words
}

const (
	day = 24 * time.Hour
	// A Listener whose session is still taken by another waits four minutes.
	startTime = 10 * time.Minute
	// What a Listener says while it starts, and in a day: two lines a job.
	startLines = 200
	dayLines   = 4000 // the newest
)

func (l *looker) service(ctx context.Context) Service {
	s := Service{Unit: l.Runner.Unit}
	if s.Unit == "" {
		s.Is = None
		return s
	}
	u, err := l.Reader.Unit(ctx, s.Unit)
	if err != nil {
		s.unknown(err)
		return s
	}
	s.Is, s.State, s.Sub, s.Enabled = OK, u.ActiveState, u.SubState, u.UnitFileState
	s.Ours = slices.ContainsFunc(l.found, func(f resources.Found) bool { return f.Unit == s.Unit && f.Ours })
	l.hear(ctx, &s, u)
	switch {
	case u.LoadState == "not-found":
		s.State = ""
		s.wrong("there is no unit " + s.Unit)
	case u.ActiveState != "active" && l.Spec != nil && resources.Spent(l.Reader, l.Spec):
		s.Spent = true
	case u.ActiveState != "active":
		s.wrong("it is not active, and takes no job; see journalctl -u " + s.Unit)
	default:
		s.Since = u.ActiveSince
		l.listens(ctx, &s, u)
	}
	return s
}

// listens tells whether a unit that is active takes jobs.
func (l *looker) listens(ctx context.Context, s *Service, u host.Unit) {
	said, ok, err := resources.Listens(ctx, l.Reader, u)
	s.Said = tidy(said, longSentence)
	switch {
	case ok:
	case err != nil && l.isLost(u):
		s.wrong(reason(err))
	case !l.Root:
		s.Is, s.Error = Unknown, "whether it listens is in the journal, which takes root to read, or the group systemd-journal"
	case err != nil:
		s.unknown(err)
	default:
		s.wrong(s.Said)
	}
}

// isLost reports whether the last that a Listener said is that it does not get
// through to GitHub.
func (l *looker) isLost(u host.Unit) bool {
	last := ""
	for _, m := range l.today {
		if what, _ := listener.Heard(m.Text); what != "" && m.Invocation == u.InvocationID {
			last = what
		}
	}
	return last == listener.Lost
}

// hear looks up in the journal when this invocation connected, and how often it
// lost its connection in the last day. A journal that says nothing is no fault.
func (l *looker) hear(ctx context.Context, s *Service, u host.Unit) {
	if !u.ActiveSince.IsZero() {
		began := u.ActiveSince.Add(-5 * time.Second)
		said, _ := l.Reader.Messages(ctx, u.Name, began, u.ActiveSince.Add(startTime), startLines)
		for _, m := range said {
			if m.Invocation != u.InvocationID {
				continue
			}
			switch what, _ := listener.Heard(m.Text); {
			case what == listener.Connected && s.Connected.IsZero():
				s.Connected = m.At
			case what == listener.Listening && s.Listening.IsZero():
				s.Listening = m.At
			}
		}
	}
	for _, m := range l.today {
		if what, _ := listener.Heard(m.Text); what == listener.Reconnected {
			s.Reconnects++
			s.Reconnected = m.At
		}
	}
}

// listen keeps what the runner's unit said in the last day. A journal that cannot
// be read says nothing, which is noticed where it matters.
func (l *looker) listen(ctx context.Context) {
	if l.Runner.Unit != "" {
		l.today, _ = l.Reader.Messages(ctx, l.Runner.Unit, l.Now.Add(-day), l.Now, dayLines)
	}
}

// others lists the runners of this host that are not the spec's; without a spec
// all of them.
func (l *looker) others() []resources.Found {
	return slices.DeleteFunc(slices.Clone(l.found), func(f resources.Found) bool {
		return l.Spec != nil && f.Unit == l.Runner.Unit
	})
}
