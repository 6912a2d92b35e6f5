package standin

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"
)

var (
	unauthenticated = refuse(http.StatusUnauthorized, "Requires authentication")
	badCredentials  = refuse(http.StatusUnauthorized, "Bad credentials")
)

// secret is what the Authorization header carries.
func secret(r *http.Request) string {
	if _, password, ok := r.BasicAuth(); ok {
		return password
	}
	_, value, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	return strings.TrimSpace(value)
}

// admit says whether the caller may administer scope. It needs the lock.
func (s *Server) admit(c *call) (reply, bool) {
	given := secret(c.Request)
	if given == "" {
		return unauthenticated, false
	}
	if t, ours := s.world.tokens[given]; ours {
		if time.Now().After(t.expires) || (t.event != "act" && t.event != "installation") {
			return badCredentials, false
		}
		if t.event == "act" && t.scope != c.scope() {
			return notFound, false
		}
		return reply{}, true
	}
	if len(s.world.good) > 0 && !s.world.good[given] {
		return badCredentials, false
	}
	return reply{}, true
}

// taken says that the secret is a live token of that kind; it needs the lock.
func (s *Server) taken(given, event string) (token, bool) {
	t, ok := s.world.tokens[given]
	return t, ok && t.event == event && time.Now().Before(t.expires)
}

// claims are what a signed statement says.
type claims struct {
	Issuer  json.RawMessage `json:"iss"` // a string, or a number in older libraries
	Issued  int64           `json:"iat"`
	Expires int64           `json:"exp"`
}

func (c claims) issuer() string { return strings.Trim(string(c.Issuer), `"`) }

// verify checks a JWT: RS256, signed by the key of its issuer, in its time.
func verify(jwt string, keyOf func(issuer string) *rsa.PublicKey, now time.Time) (claims, error) {
	parts := strings.Split(jwt, ".")
	if len(parts) != 3 {
		return claims{}, errors.New("A JSON web token could not be decoded")
	}
	var header struct {
		Algorithm string `json:"alg"`
	}
	var said claims
	if part(parts[0], &header) != nil || part(parts[1], &said) != nil || header.Algorithm != "RS256" {
		return claims{}, errors.New("A JSON web token could not be decoded")
	}
	key := keyOf(said.issuer())
	if key == nil {
		return claims{}, errors.New("Integration not found")
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil {
		return claims{}, err
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], signature) != nil {
		return claims{}, errors.New("A JSON web token could not be decoded")
	}
	if said.Expires < now.Unix() {
		return claims{}, errors.New("'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion expires")
	}
	return said, nil
}

func part(encoded string, into any) error {
	data, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, into)
}

// installationToken is a GitHub App's own POST: a signed statement of at most
// ten minutes for a token of one hour.
func (s *Server) installationToken(c *call) reply {
	now := time.Now()
	said, err := verify(secret(c.Request), func(app string) *rsa.PublicKey { return s.world.apps[app] }, now)
	if err != nil {
		return refuse(http.StatusUnauthorized, err.Error())
	}
	if said.Expires-now.Unix() > 600+60 {
		return refuse(http.StatusUnauthorized, "'Expiration time' claim ('exp') is too far in the future")
	}
	given, expires := s.world.mint("ghs_", token{event: "installation"})
	return reply{status: http.StatusCreated, body: map[string]any{
		"token": given, "expires_at": expires.UTC().Format(time.RFC3339),
		"permissions": map[string]string{"administration": "write", "actions": "write"}, "repository_selection": "selected",
	}}
}
