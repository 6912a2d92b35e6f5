package github

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/SKaiNET-developers/benchctl/internal/github/actions"
	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/spec"
)

// Names of the credentials that systemd may hand a service
// (LoadCredential=NAME:PATH, systemd.exec(5)).
const (
	CredentialToken  = "github-token"   // an API token
	CredentialAppKey = "github-app-key" // the private key of github.app
)

// Credentials are what benchctl may show GitHub. The zero value is none.
type Credentials struct {
	// Registration is a registration token that a person pasted
	// (GH_RUNNER_TOKEN). It registers a runner and does nothing else.
	Registration actions.Secret
	Token        actions.Secret // for the REST API; "" with an App or with none
	App          *App
	Source       string // where Token or App came from, for a person
}

// App is a GitHub App as credentials.
type App struct {
	ID, Installation int64
	Key              actions.Secret // PEM
}

// API reports whether the REST API can be used.
func (c Credentials) API() bool { return c.Token != "" || c.App != nil }

// FindCredentials looks for credentials, and takes the first it finds:
//
//  1. GH_TOKEN, then GITHUB_TOKEN (the order that GitHub's own gh has)
//  2. $CREDENTIALS_DIRECTORY/github-token, then github-app-key
//  3. the spec's github.tokenFile, then github.app
//
// GH_RUNNER_TOKEN is taken besides. None at all is no error. Files of the spec
// must be root's alone and outside the directories private to the runner's
// user, off.
func FindCredentials(r host.Reader, getenv func(string) string, s spec.GitHub, off ...string) (Credentials, error) {
	c := Credentials{Registration: actions.Secret(strings.TrimSpace(getenv("GH_RUNNER_TOKEN")))}
	if err := oneLine(c.Registration, "GH_RUNNER_TOKEN"); err != nil {
		return Credentials{}, err
	}
	find := finder{r, getenv, s, off}
	for _, look := range []func() (Credentials, error){find.environment, find.systemd, find.tokenFile, find.app} {
		found, err := look()
		if err != nil {
			return Credentials{}, err
		}
		if found.API() {
			c.Token, c.App, c.Source = found.Token, found.App, found.Source
			break
		}
	}
	return c, nil
}

type finder struct {
	host   host.Reader
	getenv func(string) string
	spec   spec.GitHub
	off    []string
}

func (f finder) environment() (Credentials, error) {
	for _, name := range []string{"GH_TOKEN", "GITHUB_TOKEN"} {
		if token := actions.Secret(strings.TrimSpace(f.getenv(name))); token != "" {
			return Credentials{Token: token, Source: name}, oneLine(token, name)
		}
	}
	return Credentials{}, nil
}

func (f finder) systemd() (Credentials, error) {
	dir := f.getenv("CREDENTIALS_DIRECTORY")
	if dir == "" {
		return Credentials{}, nil
	}
	token, err := f.read(filepath.Join(dir, CredentialToken))
	if err == nil {
		return Credentials{Token: token, Source: "systemd's credential " + CredentialToken}, oneLine(token, CredentialToken)
	}
	if f.spec.App != nil && errors.Is(err, fs.ErrNotExist) {
		var key actions.Secret
		if key, err = f.read(filepath.Join(dir, CredentialAppKey)); err == nil {
			return f.asApp(key, "systemd's credential "+CredentialAppKey), nil
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		return Credentials{}, nil
	}
	return Credentials{}, err
}

func (f finder) tokenFile() (Credentials, error) {
	path := f.spec.TokenFile
	if path == "" {
		return Credentials{}, nil
	}
	token, err := f.private(path, "github.tokenFile")
	if err != nil {
		return Credentials{}, err
	}
	return Credentials{Token: token, Source: path}, oneLine(token, path)
}

func (f finder) app() (Credentials, error) {
	if f.spec.App == nil {
		return Credentials{}, nil
	}
	key, err := f.private(f.spec.App.KeyFile, "github.app.keyFile")
	if err != nil {
		return Credentials{}, err
	}
	return f.asApp(key, f.spec.App.KeyFile), nil
}

func (f finder) asApp(key actions.Secret, source string) Credentials {
	return Credentials{App: &App{f.spec.App.ID, f.spec.App.Installation, key}, Source: source}
}

// private reads a file that must be root's alone.
func (f finder) private(path, key string) (actions.Secret, error) {
	if fault := f.fault(path); fault != "" {
		return "", &sentence{text: fmt.Sprintf("cannot use %s %s: %s", key, path, fault)}
	}
	return f.read(path)
}

// fault says why a file may not hold a secret, or "".
func (f finder) fault(path string) string {
	if !filepath.IsAbs(path) {
		return "it is not an absolute path; write it from / on"
	}
	for _, dir := range f.off {
		if rel, err := filepath.Rel(dir, path); err == nil && rel != ".." && !strings.HasPrefix(rel, "../") {
			return "it lies in " + dir + ", where the runner's user and its jobs live; move it to /etc/benchctl"
		}
	}
	info, err := f.host.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "there is no such file; write the secret there, as root, with mode 0600"
	case err != nil:
		return reason(err) + "; run benchctl as root"
	case !info.IsRegular():
		return "it is not a plain file; put the secret itself there, not a link or a directory"
	case info.UID != 0:
		return fmt.Sprintf("it belongs to user %d, not to root; run `chown root: %s`", info.UID, path)
	case info.Mode.Perm()&0o077 != 0:
		return fmt.Sprintf("others can read it (mode %04o); run `chmod 600 %s`, and make a new secret if anyone may have", info.Mode.Perm(), path)
	case info.Size > maxSecret:
		return fmt.Sprintf("it has %d bytes, too many for a secret; check what is in it", info.Size)
	}
	return ""
}

// maxSecret is the most that a token or key may have, in bytes.
const maxSecret = 16 << 10

func (f finder) read(path string) (actions.Secret, error) {
	data, err := f.host.ReadFile(path)
	if err != nil {
		return "", &sentence{text: fmt.Sprintf("cannot read the secret in %s: %s; run benchctl as root", path, reason(err)), kind: err}
	}
	secret := actions.Secret(strings.TrimSpace(string(data)))
	if secret == "" {
		return "", &sentence{text: fmt.Sprintf("cannot use the secret in %s: the file is empty; write the secret there", path)}
	}
	return secret, nil
}

// oneLine refuses what cannot be a token, without showing it.
func oneLine(s actions.Secret, source string) error {
	for _, c := range s.Reveal() {
		if c <= ' ' || c > '~' {
			return &sentence{text: fmt.Sprintf("cannot use the token in %s: it holds blanks or unusual characters; paste the token alone", source)}
		}
	}
	return nil
}

// reason is an error without the operation and path that the sentence around
// it names already.
func reason(err error) string {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err.Error()
	}
	return err.Error()
}
