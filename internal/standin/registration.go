package standin

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/standin/runner"
)

// services is where runners of this caller find the service that hands out jobs.
func services(r *http.Request) string {
	if host, _, _ := strings.Cut(r.Host, ":"); host == HostAPI || host == HostBroker {
		return strings.Replace(origin(r), r.Host, HostBroker, 1) + "/_services/"
	}
	return origin(r) + "/_services/"
}

// grant exchanges a registration or removal token for one that may act. Every
// reason to refuse it is the same bare 404.
func (s *Server) grant(c *call) reply {
	var asked runner.GrantRequest
	if answer, ok := c.decode(&asked); !ok {
		return answer
	}
	t, live := s.taken(secret(c.Request), asked.Event)
	scope, named := scopeOf(asked.URL)
	if !live || !named || t.scope != scope {
		return notFound
	}
	given, _ := s.world.mint("act_", token{scope: scope, event: "act"})
	return ok(runner.Grant{URL: services(c.Request), Token: given, TokenSchema: "OAuthAccessToken", UseV2Flow: true})
}

// register adds a runner, or puts a new key and new labels on the one that it
// replaces.
func (s *Server) register(c *call) reply {
	var asked runner.RegisterRequest
	if answer, ok := c.decode(&asked); !ok {
		return answer
	}
	scope, named := scopeOf(asked.URL)
	t, live := s.taken(secret(c.Request), "act")
	key := publicKey(asked.PublicKey)
	if !named || !live || t.scope != scope {
		return notFound
	}
	if key == nil || asked.Name == "" {
		return refuse(http.StatusBadRequest, "A runner needs a name and a public key")
	}
	r := s.claim(scope, asked)
	if r == nil {
		return refuse(http.StatusConflict, fmt.Sprintf("A runner exists with the same name %s.", asked.Name))
	}
	s.world.drop(r.ID) // the tokens and sessions of the one before end here
	s.broker.sessions = slices.DeleteFunc(s.broker.sessions, func(old *session) bool { return old.runner == r.ID })
	r.GroupID, r.Version, r.Ephemeral, r.NoUpdate = asked.GroupID, asked.Version, asked.Ephemeral, asked.UpdatesDisabled
	r.key, r.client, r.Labels = key, fmt.Sprintf("client-%d-%d", r.ID, s.world.id()), nil
	s.label(r, asked.Labels)
	s.world.runners = append(s.world.runners, r)
	s.broker.wake()
	base := services(c.Request)
	return ok(runner.Registered{ID: r.ID, Name: r.Name, Authorization: runner.Authorization{
		AuthorizationURL: base + "oauth2/token", ServerURL: base, ClientID: r.client,
	}})
}

// claim finds the runner to replace or makes a new one; nil if the name is taken.
func (s *Server) claim(scope Scope, asked runner.RegisterRequest) *Runner {
	for _, r := range s.world.runners {
		if r.Scope == scope && strings.EqualFold(r.Name, asked.Name) {
			if !asked.Replace || asked.RunnerID != r.ID {
				return nil
			}
			return r
		}
	}
	return &Runner{ID: s.world.id(), Scope: scope, Name: asked.Name}
}

func (s *Server) label(r *Runner, sent []runner.Label) {
	var custom []string
	for _, l := range sent {
		if l.Type == "System" {
			r.Labels = append(r.Labels, Label{ID: int64(len(r.Labels) + 1), Name: l.Name, ReadOnly: true})
		} else {
			custom = append(custom, l.Name)
		}
	}
	s.world.addLabels(r, custom)
}

func publicKey(text string) *rsa.PublicKey {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil
	}
	public, _ := key.(*rsa.PublicKey)
	return public
}

// accessToken signs a runner in, by the key that it registered.
func (s *Server) accessToken(c *call) reply {
	form, err := url.ParseQuery(string(c.body))
	if err != nil {
		return refuse(http.StatusBadRequest, "Problems parsing the form")
	}
	var who *Runner
	_, err = verify(form.Get("client_assertion"), func(client string) *rsa.PublicKey {
		for _, r := range s.world.runners {
			if r.client == client && r.key != nil {
				who = r
				return r.key
			}
		}
		return nil
	}, time.Now())
	if err != nil {
		return reply{status: http.StatusBadRequest, body: map[string]string{
			"error": "invalid_client", "error_description": err.Error(), "errorKind": "InvalidClient",
		}}
	}
	given, _ := s.world.mint("run_", token{event: "access", runner: who.ID})
	return ok(runner.AccessToken{AccessToken: given, TokenType: "Bearer", ExpiresIn: 3600})
}
