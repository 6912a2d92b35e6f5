package resources

import (
	"context"
	"strings"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/github/actions"
	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/internal/jobs"
	"github.com/SKaiNET-developers/benchctl/reconcile"
)

// A Witness is a registration that keeps what its last look saw, for who wants to
// show that. GitHub has so long to answer.
type Witness struct {
	*Config
	Patience time.Duration
	Views    Views
}

// Views are a registration as each of three has it. Whatever others wrote can be
// printed.
type Views struct {
	Spec   View   `json:"spec"`
	Here   *View  `json:"here"`             // `.runner`; nil: there is none that can be used, or it was not seen
	GitHub *View  `json:"github"`           // nil: it has none, or was not asked
	Broken string `json:"broken,omitempty"` // why there is no registration that works
}

// A View is a registration. What is not known, or is nobody's wish, is absent.
type View struct {
	ID      int64    `json:"id,omitempty"`
	URL     string   `json:"url,omitempty"`
	Name    string   `json:"name"`
	Group   string   `json:"group,omitempty"`
	Labels  []string `json:"labels,omitempty"`
	Status  string   `json:"status,omitempty"` // online or offline
	Busy    *bool    `json:"busy,omitempty"`
	Version string   `json:"version,omitempty"`
}

// Diff is the Config's. Where `.runner` may not be looked at, GitHub is asked all
// the same.
func (w *Witness) Diff(ctx context.Context, r host.Reader) ([]reconcile.Change, error) {
	ctx, cancel := context.WithTimeout(ctx, w.Patience)
	defer cancel()
	v, err := w.look(ctx, r)
	if err != nil {
		v = &view{}
		w.lookAtGitHub(ctx, v)
		w.Views = w.views(v)
		return nil, err
	}
	w.Views = w.views(v)
	changes := w.changes(v)
	if w.GitHub == nil && anew(changes) {
		return changes, nil // registering sets what could not be seen
	}
	return changes, v.blind
}

func (w *Witness) views(v *view) Views {
	views := Views{
		Spec:   View{URL: w.URL.Text, Name: w.Name, Labels: w.Labels, Group: w.Group},
		Broken: v.broken,
	}
	if l := v.local; l != nil {
		views.Here = &View{ID: int64(l.ID), URL: plain(l.URL), Name: plain(l.Name), Group: plain(l.Group)}
	}
	at := v.remote
	if at == nil {
		at = v.namesake
	}
	if at != nil {
		views.GitHub = viewOf(at)
		if v.groups != nil {
			views.GitHub.Group = plain(v.group)
		}
	}
	return views
}

func viewOf(r *actions.Runner) *View {
	v := &View{ID: r.ID, Name: plain(r.Name), Status: plain(r.Status), Busy: &r.Busy, Version: plain(r.Version)}
	for _, l := range r.Labels {
		v.Labels = append(v.Labels, plain(l.Name))
	}
	return v
}

// Listens reports whether the Listener of a unit that is active takes jobs, and
// what it last said of itself, as the service sees it.
func Listens(ctx context.Context, r host.Reader, u host.Unit) (said string, ok bool, err error) {
	return listening(ctx, r, u)
}

// A Found runner is one whose unit is on this host, whoever set it up.
type Found struct {
	Unit   string      `json:"unit"`
	Dir    string      `json:"dir"`
	User   string      `json:"user"`
	Ours   bool        `json:"ours"` // benchctl wrote the unit
	Runner jobs.Runner `json:"-"`
}

// Find lists the runners of this host, sorted by unit.
func Find(r host.Reader) []Found {
	var all []Found
	for _, u := range runnerUnits(r) {
		dir, user := strings.ReplaceAll(u.keys["WorkingDirectory"], "%%", "%"), u.keys["User"]
		all = append(all, Found{
			Unit: plain(u.name), Dir: plain(dir), User: plain(user), Ours: u.keys["RunnerTemplate"] != "",
			Runner: runnerOf(r, user, u.name, dir),
		})
	}
	return all
}
