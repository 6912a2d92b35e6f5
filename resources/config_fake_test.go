package resources

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/github/actions"
)

// A fakeGitHub holds runners of one scope. Its zero value has none.
type fakeGitHub struct {
	runners []actions.Runner
	groups  []actions.Group
	stale   []actions.Group // as they were some hours ago; nil: the same
	listErr error           // of Runners
	getErr  error           // of Runner
	mintErr error
	jitErr  error
	spoil   func(config map[string]string) // a just-in-time configuration
	calls   []string

	forgets   int    // all runners, at the n-th look from now
	made      int64  // of just-in-time registrations
	page      string // their scope's
	labelType string // of all their labels
}

func (g *fakeGitHub) note(format string, args ...any) {
	g.calls = append(g.calls, fmt.Sprintf(format, args...))
}

func (g *fakeGitHub) Runners(_ context.Context, name string) ([]actions.Runner, error) {
	g.note("list %s", name)
	if g.forgets--; g.forgets == 0 {
		g.runners = nil
	}
	return slices.Clone(g.runners), g.listErr
}

func (g *fakeGitHub) Runner(_ context.Context, id int64) (actions.Runner, error) {
	g.note("get %d", id)
	for _, r := range g.runners {
		if r.ID == id {
			return r, g.getErr
		}
	}
	return actions.Runner{}, fmt.Errorf("cannot look at runner %d: %w", id, actions.ErrNotFound)
}

func (g *fakeGitHub) DeleteRunner(_ context.Context, id int64) error {
	g.note("delete %d", id)
	g.runners = slices.DeleteFunc(g.runners, func(r actions.Runner) bool { return r.ID == id })
	return nil
}

func (g *fakeGitHub) SetLabels(_ context.Context, id int64, names []string) error {
	g.note("labels %d %s", id, strings.Join(names, ","))
	for i, r := range g.runners {
		if r.ID != id {
			continue
		}
		r.Labels = slices.DeleteFunc(slices.Clone(r.Labels), func(l actions.Label) bool { return !l.ReadOnly() })
		for _, name := range names {
			r.Labels = append(r.Labels, actions.Label{Name: name, Type: "custom"})
		}
		g.runners[i] = r
	}
	return nil
}

// Groups gives an old answer to whoever takes one.
func (g *fakeGitHub) Groups(_ context.Context, age time.Duration) ([]actions.Group, error) {
	if age > 0 {
		g.note("old groups")
		if g.stale != nil {
			return g.stale, nil
		}
		return g.groups, nil
	}
	g.note("groups")
	return g.groups, nil
}

func (g *fakeGitHub) MoveRunner(_ context.Context, id, group int64) error {
	g.note("move %d to %d", id, group)
	for i := range g.runners {
		if g.runners[i].ID == id {
			g.runners[i].GroupID = group
		}
	}
	return nil
}

func (g *fakeGitHub) RegistrationToken(context.Context) (actions.Secret, error) {
	g.note("mint")
	return configCanary, g.mintErr
}

// JIT gives out what [fakeGitHub.spoil] leaves of a configuration.
func (g *fakeGitHub) JIT(_ context.Context, asked actions.JITRequest) (actions.JIT, error) {
	g.note("jit %+v", asked)
	if g.jitErr != nil {
		return actions.JIT{}, g.jitErr
	}
	if slices.ContainsFunc(g.runners, func(r actions.Runner) bool { return strings.EqualFold(r.Name, asked.Name) }) {
		return actions.JIT{}, errors.New("cannot get a just-in-time registration: it conflicts with what is there (409)")
	}
	g.made++
	r := actions.Runner{ID: 100 + g.made, Name: asked.Name, Status: "offline", GroupID: asked.GroupID, Ephemeral: true}
	for _, name := range asked.Labels {
		r.Labels = append(r.Labels, actions.Label{Name: name, Type: g.labelType})
	}
	g.runners = append(g.runners, r)
	config := map[string]string{
		".runner":                fmt.Sprintf(`{"AgentId":"%d","AgentName":%q,"GitHubUrl":%q,"WorkFolder":%q,"Ephemeral":"True","DisableUpdate":"False"}`, r.ID, r.Name, g.page, asked.WorkDir),
		".credentials":           "{}",
		".credentials_rsaparams": jitCanary,
	}
	if g.spoil != nil {
		g.spoil(config)
	}
	for name, text := range config {
		config[name] = base64.StdEncoding.EncodeToString([]byte(text))
	}
	whole, err := json.Marshal(config)
	return actions.JIT{Runner: r, Config: actions.Secret(base64.StdEncoding.EncodeToString(whole))}, err
}

// jitCanary stands for a private key.
const jitCanary = `{"d":"CANARYOFAPRIVATEKEY"}`

// defaults are the labels that GitHub adds to every registration.
func defaults(custom ...string) []actions.Label {
	labels := []actions.Label{{Name: "self-hosted", Type: "read-only"}, {Name: "Linux", Type: "read-only"}, {Name: "X64", Type: "read-only"}}
	for _, name := range custom {
		labels = append(labels, actions.Label{Name: name, Type: "custom"})
	}
	return labels
}
