package resources

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/spec"
)

// A launch is everything that a Listener is started with: its PATH and
// environment, the hooks, the unit. The kinds env, hooks and service each look
// after a part, and the revision covers all of it (law 6).
type launch struct {
	spec   *spec.Spec
	binary string // absolute path of benchctl, as the unit and the hooks call it
}

// notYet is shown in place of a path that nobody can know before the JDK is
// installed. It never reaches a file: Apply asks again, and stops.
const notYet = "(known once the JDK is installed)"

// java is the JDK's home, and "" where the spec asks for none.
func (l launch) java(r host.Reader) (string, error) {
	if l.spec.JDK == nil {
		return "", nil
	}
	home, err := jdkHome(r, l.spec.JDK)
	if errors.Is(err, fs.ErrNotExist) {
		return notYet, err
	}
	return home, err
}

// revision is a digest of everything that a Listener is started with. The unit
// carries it in its environment, so that a running process says which one it
// was started with.
func (l launch) revision(r host.Reader) (string, error) {
	java, err := l.java(r)
	if err != nil && java != notYet {
		return "", err
	}
	version, err := l.installed(r)
	if err != nil {
		return "", err
	}
	unit, err := l.unit(r, "")
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	for _, part := range []string{unit, l.pathText(java), l.envText(java), l.hookText(jobStarted), l.hookText(jobCompleted), version} {
		fmt.Fprintf(sum, "%d:%s", len(part), part)
	}
	return hex.EncodeToString(sum.Sum(nil))[:16], nil
}

// installed names the runner's version on disk, by the root-owned link that
// leads to it, and "" before there is one. A runner that updates itself is
// always current: it has started anew by itself.
func (l launch) installed(r host.Reader) (string, error) {
	if l.spec.Runner.AutoUpdate {
		return "", nil
	}
	target, err := r.Readlink(l.spec.InstallDir + "/bin")
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("cannot see which runner is installed: %w", err)
	}
	return strings.TrimPrefix(path.Base(target), "bin."), nil
}
