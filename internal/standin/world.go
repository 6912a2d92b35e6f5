package standin

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"
)

// A Scope is where runners belong: a repository, an organisation or an
// enterprise, written as its part of the API's path. GitHub's names know no case.
type Scope string

// Repo is the scope of OWNER/NAME.
func Repo(name string) Scope { return Scope("repos/" + strings.ToLower(name)) }

// Org is the scope of an organisation.
func Org(name string) Scope { return Scope("orgs/" + strings.ToLower(name)) }

// Enterprise is the scope of an enterprise.
func Enterprise(name string) Scope { return Scope("enterprises/" + strings.ToLower(name)) }

// scopeOf returns the scope that a runner's URL names.
func scopeOf(address string) (Scope, bool) {
	_, rest, _ := strings.Cut(address, "://")
	_, path, _ := strings.Cut(rest, "/")
	parts := strings.Split(strings.Trim(path, "/"), "/")
	switch {
	case len(parts) == 1 && parts[0] != "":
		return Org(parts[0]), true
	case len(parts) == 2 && parts[0] == "enterprises":
		return Enterprise(parts[1]), true
	case len(parts) == 2:
		return Repo(parts[0] + "/" + parts[1]), true
	}
	return "", false
}

// A Runner is one registration as the server sees it.
type Runner struct {
	ID        int64
	Scope     Scope
	Name      string
	GroupID   int64
	Labels    []Label
	Online    bool
	Busy      bool // a job was handed to it and has not ended
	Lies      *bool
	Ephemeral bool
	NoUpdate  bool
	Version   string

	client string // OAuth client id
	key    *rsa.PublicKey
}

// A Label of a runner; the default ones are read-only.
type Label struct {
	ID       int64
	Name     string
	ReadOnly bool
}

// A Group of runners in an organisation or enterprise. Each scope has one
// called Default, with the id 1.
type Group struct {
	ID   int64
	Name string
}

// token is a short-lived secret that the server gave out.
type token struct {
	scope   Scope
	event   string // register, remove, act (a grant), installation or access (a runner's)
	expires time.Time
	runner  int64 // for access
}

// world is the part of GitHub's state that tests set and look at.
type world struct {
	nextID       int64
	runners      []*Runner
	groups       map[Scope][]Group
	tokens       map[string]token
	good         map[string]bool // API tokens; empty: any will do
	apps         map[string]*rsa.PublicKey
	releases     map[string][]*release // by owner/repo, newest last
	downloads    []Asset
	workflows    map[Scope][]Workflow
	runs         []*Run // oldest first
	dispatches   string // how they are answered
	repositories map[Scope]Repository
	deprecations map[string]Deprecation
	issues       map[Scope][]*Issue
	noIssues     map[Scope]bool       // repositories whose issues are disabled
	ends         map[string]time.Time // of API tokens that expire
	refused      map[string]bool      // runner versions that get no session
	jit          []string             // just-in-time configurations that were given out
	remaining    int                  // of the primary rate limit
}

func newWorld() world {
	return world{
		nextID: 20, remaining: 5000,
		groups: map[Scope][]Group{}, tokens: map[string]token{}, good: map[string]bool{},
		apps: map[string]*rsa.PublicKey{}, releases: map[string][]*release{},
		workflows: map[Scope][]Workflow{}, repositories: map[Scope]Repository{}, deprecations: map[string]Deprecation{}, refused: map[string]bool{},
		issues: map[Scope][]*Issue{}, noIssues: map[Scope]bool{}, ends: map[string]time.Time{},
	}
}

func (w *world) id() int64 { w.nextID++; return w.nextID }

// groupsOf lists the groups of a scope, the default one first.
func (w *world) groupsOf(scope Scope) []Group {
	return append([]Group{{ID: 1, Name: "Default"}}, w.groups[scope]...)
}

func (w *world) find(scope Scope, id int64) *Runner {
	for _, r := range w.runners {
		if r.Scope == scope && r.ID == id {
			return r
		}
	}
	return nil
}

func (w *world) byID(id int64) *Runner {
	for _, r := range w.runners {
		if r.ID == id {
			return r
		}
	}
	return nil
}

func (w *world) drop(id int64) {
	w.runners = slices.DeleteFunc(w.runners, func(r *Runner) bool { return r.ID == id })
	for secret, t := range w.tokens {
		if t.runner == id && id != 0 {
			delete(w.tokens, secret)
		}
	}
}

// mint makes a secret of one kind that lives for an hour.
func (w *world) mint(prefix string, t token) (string, time.Time) {
	var raw [20]byte
	rand.Read(raw[:])
	secret := prefix + strings.ToUpper(hex.EncodeToString(raw[:]))
	t.expires = time.Now().Add(time.Hour).Truncate(time.Second)
	w.tokens[secret] = t
	return secret, t.expires
}

// setLabels replaces the custom labels. One that equals a default label,
// whatever its case, adds nothing; neither does one given twice.
func (w *world) setLabels(r *Runner, names []string) {
	r.Labels = slices.DeleteFunc(r.Labels, func(l Label) bool { return !l.ReadOnly })
	w.addLabels(r, names)
}

func (w *world) addLabels(r *Runner, names []string) {
	for _, name := range names {
		if r.label(name) == nil {
			r.Labels = append(r.Labels, Label{ID: w.id(), Name: name})
		}
	}
}

func (r *Runner) label(name string) *Label {
	for i := range r.Labels {
		if strings.EqualFold(r.Labels[i].Name, name) {
			return &r.Labels[i]
		}
	}
	return nil
}

func (r *Runner) clone() Runner {
	c := *r
	c.Labels = slices.Clone(r.Labels)
	return c
}

func (r *Runner) String() string { return fmt.Sprintf("runner %d %q of %s", r.ID, r.Name, r.Scope) }
