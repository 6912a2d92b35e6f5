package standin

import (
	"crypto/rsa"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// AddRunner puts a registration into a scope, as if some other host had made
// it: default labels, the given custom ones, offline. It returns its id.
func (s *Server) AddRunner(scope Scope, name string, custom ...string) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := &Runner{ID: s.world.id(), Scope: scope, Name: name, GroupID: 1, Version: "2.336.0"}
	for i, label := range []string{"self-hosted", "Linux", "X64"} {
		r.Labels = append(r.Labels, Label{ID: int64(i + 1), Name: label, ReadOnly: true})
	}
	s.world.addLabels(r, custom)
	s.world.runners = append(s.world.runners, r)
	return r.ID
}

// Runners lists the registrations of a scope as they are now.
func (s *Server) Runners(scope Scope) []Runner {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []Runner
	for _, r := range s.world.runners {
		if r.Scope == scope {
			list = append(list, r.clone())
		}
	}
	return list
}

// Runner returns the registration of that name.
func (s *Server) Runner(scope Scope, name string) (Runner, bool) {
	for _, r := range s.Runners(scope) {
		if strings.EqualFold(r.Name, name) {
			return r, true
		}
	}
	return Runner{}, false
}

// Change edits a registration in place; it says whether there is one.
func (s *Server) Change(id int64, edit func(*Runner)) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.world.byID(id)
	if r != nil {
		edit(r)
	}
	return r != nil
}

// SetLabels replaces a registration's custom labels behind its owner's back.
func (s *Server) SetLabels(id int64, custom ...string) bool {
	return s.Change(id, func(r *Runner) { s.world.setLabels(r, custom) })
}

// LieAboutBusy makes the API say busy, or idle, whatever is true.
func (s *Server) LieAboutBusy(id int64, busy bool) bool {
	return s.Change(id, func(r *Runner) { r.Lies = &busy })
}

// DeleteRunner ends a registration at the server. Its listener, if live, is
// told at once.
func (s *Server) DeleteRunner(id int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unregister(id)
}

// unregister needs the lock.
func (s *Server) unregister(id int64) {
	s.world.drop(id)
	s.broker.wake()
}

// AddGroup adds a group of runners to an organisation or enterprise.
func (s *Server) AddGroup(scope Scope, name string) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := Group{ID: s.world.id(), Name: name}
	s.world.groups[scope] = append(s.world.groups[scope], g)
	return g.ID
}

// RegistrationToken mints a token as GitHub's page for a new runner shows it.
func (s *Server) RegistrationToken(scope Scope) string { return s.mintFor(scope, "register") }

// RemoveToken mints a token for config.sh remove.
func (s *Server) RemoveToken(scope Scope) string { return s.mintFor(scope, "remove") }

func (s *Server) mintFor(scope Scope, event string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	secret, _ := s.world.mint("A", token{scope: scope, event: event})
	return secret
}

// Secrets lists every token that the server has given out and still knows, by
// API, page or sign-in, so that a test can look for them where none may be.
func (s *Server) Secrets() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.world.tokens))
}

// JITConfigs lists the just-in-time configurations that the server has given
// out: each holds a private key.
func (s *Server) JITConfigs() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.world.jit)
}

// ExpireTokens ends the life of every token that the server has given out,
// except those by which runners are signed in.
func (s *Server) ExpireTokens() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for secret, t := range s.world.tokens {
		if t.event != "access" {
			t.expires = time.Now().Add(-time.Minute)
			s.world.tokens[secret] = t
		}
	}
}

// AcceptToken makes secret a good API token. Until the first call any will do.
func (s *Server) AcceptToken(secret string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.world.good[secret] = true
}

// EndToken says until when an API token is good, which GitHub's answers carry in
// a header. It refuses nothing by itself.
func (s *Server) EndToken(secret string, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.world.ends[secret] = at
}

// AddApp makes a GitHub App known by the public half of its key. Every
// installation id is one of its installations.
func (s *Server) AddApp(id int64, key *rsa.PublicKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.world.apps[strconv.FormatInt(id, 10)] = key
}

// RefuseVersion answers runners of that version as a deprecated one is answered.
func (s *Server) RefuseVersion(version string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.world.refused[version] = true
	s.broker.wake()
}

// A Deprecation says when a runner version stops working.
type Deprecation struct {
	Version      string    `json:"runner_version"`
	Runtime      time.Time `json:"runtime_deprecates_at"`
	Registration time.Time `json:"registration_deprecates_at"`
}

// Deprecate announces the end of a version; it refuses nothing by itself.
func (s *Server) Deprecate(d Deprecation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.world.deprecations[d.Version] = d
}

// Violations lists what the server or its callers did that GitHub's
// description, or the table [Beyond] it, does not allow.
func (s *Server) Violations() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.violations)
}

// Requests lists every request so far, in the order of their answers.
func (s *Server) Requests() []Request {
	s.noting.Lock()
	defer s.noting.Unlock()
	return slices.Clone(s.requests)
}

// ForgetRequests empties the list of requests, so that a test sees only its own.
func (s *Server) ForgetRequests() {
	s.noting.Lock()
	defer s.noting.Unlock()
	s.requests = nil
}
