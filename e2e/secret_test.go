//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/lab"
	"github.com/SKaiNET-developers/benchctl/internal/standin"
)

const (
	keyFile   = "/etc/benchctl/app.pem"
	tokenFile = "/etc/benchctl/token"
	// No other test has these tokens.
	typedOne = "canary-typed-token-5be007"
	filedOne = "canary-filed-token-81c2aa"
)

// TestNoSecretIsLeftAnywhere registers a runner by each kind of credentials and
// then looks for all of them: in every file of the host, its journal, its units
// and its processes, in what benchctl printed, and on every command line that
// there was meanwhile.
func TestNoSecretIsLeftAnywhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lab.Debian13, prepared(t))
	app, appKey := w.app()
	w.hub.AcceptToken(typedOne)
	w.hub.AcceptToken(filedOne)
	w.put(tokenFile, filedOne+"\n", 0o600)
	watch := watchCommandLines(t)

	var said bytes.Buffer
	for _, way := range []struct {
		name, spec string
		env        []string
	}{
		{"a token in the environment", plainSpec, []string{"GITHUB_TOKEN=" + typedOne}},
		{"a pasted registration token", plainSpec, []string{"GH_RUNNER_TOKEN=" + w.hub.RegistrationToken(standin.Repo(repository))}},
		{"a token in a file", plainSpec + "github: {tokenFile: " + tokenFile + "}\n", []string{"X=x"}},
		{"an App", plainSpec + app, []string{"X=x"}},
	} {
		w.spec(way.spec)
		for _, args := range [][]string{{"apply", "--yes", "-v"}, {"apply", "--yes", "-o", "json"}, {"diff", "-v"}, {"status"}, {"status", "-o", "json"}} {
			r := w.benchctlAs(0, way.env, args...)
			said.WriteString(r.Stdout + r.Stderr)
		}
		if err := w.hub.WaitOnline(t.Context(), standin.Repo(repository), runnerName); err != nil {
			t.Fatalf("%s: %v", way.name, err)
		}
		w.sh("systemctl stop " + runnerUnit + " && rm " + boxDir + "/.runner")
	}

	secrets := append(w.hub.Secrets(), typedOne, filedOne)
	secrets = append(secrets, appKey...)
	t.Logf("looking for %d secrets", len(secrets))
	lines := watch()
	if !bytes.Contains(lines, []byte("/config.sh --unattended")) {
		t.Error("config.sh was never seen on a command line, so that looking there proves nothing")
	}
	leaks(t, "a command line", lines, secrets)
	leaks(t, "what benchctl printed", said.Bytes(), secrets)
	for _, look := range []string{
		"journalctl --sync; journalctl --no-pager -o export",
		"systemctl show --all '*' && systemctl show-environment",
		"cat /proc/[0-9]*/environ",
	} {
		r, err := w.host.Look(t.Context(), "sh", "-c", look)
		if err != nil || len(r.Stdout) < 100 {
			t.Errorf("%s: %v %+v", look, err, r)
		}
		leaks(t, look, []byte(r.Stdout), secrets)
	}

	const decoy = "decoy-of-this-very-test"
	w.put("/var/lib/decoy", "x"+decoy+"y", 0o600)
	found := w.filesWith(append(secrets, decoy))
	if len(found) != 1 || !strings.HasPrefix(found[0], "/var/lib/decoy holds "+decoy) {
		t.Errorf("of all files only the decoy should hold a secret:\n%s", strings.Join(found, "\n"))
	}
}

// app makes a GitHub App, puts its key on the host, and returns the spec's
// lines for it and what must be nowhere else.
func (w *world) app() (spec string, secrets []string) {
	w.t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		w.t.Fatal(err)
	}
	w.hub.AddApp(7, &key.PublicKey)
	text := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	w.put(keyFile, string(text), 0o600)
	body := strings.Split(string(text), "\n")
	return "github: {app: {id: 7, installation: 9, keyFile: " + keyFile + "}}\n", body[3:6]
}

// leaks fails the test for each secret in a text.
func leaks(t *testing.T, where string, text []byte, secrets []string) {
	t.Helper()
	for _, secret := range secrets {
		if at := bytes.Index(text, []byte(secret)); at >= 0 {
			t.Errorf("%s holds %s: %q", where, secret, text[max(0, at-80):at+len(secret)])
		}
	}
}

// filesWith lists the host's files that hold one of the secrets, in memory or
// on disk, but for the two that an operator put there.
func (w *world) filesWith(secrets []string) (found []string) {
	w.t.Helper()
	pid, err := w.host.PID()
	if err != nil {
		w.t.Fatal(err)
	}
	for _, root := range []string{w.host.Path("/"), fmt.Sprintf("/proc/%d/root/run", pid), fmt.Sprintf("/proc/%d/root/tmp", pid), fmt.Sprintf("/proc/%d/root/dev/shm", pid)} {
		err := filepath.WalkDir(root+"/", func(name string, d fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) || err == nil && !d.Type().IsRegular() {
				return nil
			}
			path := strings.TrimPrefix(name, strings.TrimSuffix(root, "/"))
			if err != nil || path == keyFile || path == tokenFile {
				return err
			}
			data, err := os.ReadFile(name)
			for _, secret := range secrets {
				if bytes.Contains(data, []byte(secret)) {
					found = append(found, path+" holds "+secret)
				}
			}
			return err
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			w.t.Error(err)
		}
	}
	return found
}

// watchCommandLines collects the command lines of all processes, a hundred
// times a second, until the function that it returns is called.
func watchCommandLines(t *testing.T) (end func() []byte) {
	ctx, cancel := context.WithCancel(t.Context())
	seen := map[string]bool{}
	var group sync.WaitGroup
	group.Go(func() {
		for tick := time.NewTicker(10 * time.Millisecond); ctx.Err() == nil; <-tick.C {
			files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
			for _, file := range files {
				if line, err := os.ReadFile(file); err == nil {
					seen[string(bytes.ReplaceAll(line, []byte{0}, []byte{' '}))] = true
				}
			}
		}
	})
	return func() []byte {
		cancel()
		group.Wait()
		var all bytes.Buffer
		for line := range seen {
			all.WriteString(line + "\n")
		}
		return all.Bytes()
	}
}
