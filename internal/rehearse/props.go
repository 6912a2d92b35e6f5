package rehearse

import (
	"errors"
	"fmt"
	"os"

	"github.com/SKaiNET-developers/benchctl/internal/standin"
)

// props are the things in the copy that stand for real ones.
type props struct {
	spec   []byte // the copy's runner.yaml
	binary []byte
	extra  map[string][]byte // further files, by path
}

// props makes what the stand-in serves in place of what is not the
// distribution's: the runner, the Phoronix Test Suite, Temurin.
func (s *stage) props() (*props, error) {
	s.hub.AcceptToken(token)
	version := s.Spec.Runner.Version
	if version == "latest" {
		version = "2.999.0"
	}
	runner, err := standin.RunnerArchive(standin.ArchiveOptions{Version: version, Binary: s.Binary, Dir: s.dir})
	if err != nil {
		return nil, err
	}
	if err := s.hub.PublishRunner(version, runner); err != nil {
		return nil, err
	}
	s.say("STAND-IN: GitHub, and the runner %s, which registers, listens and takes a pretend job.", version)
	binary, err := os.ReadFile(s.Binary)
	if err != nil {
		return nil, fmt.Errorf("cannot read benchctl itself: %w", err)
	}
	extra := map[string][]byte{}
	text, err := s.substitute(runner.SHA256, extra)
	return &props{spec: text, binary: binary, extra: extra}, err
}

// dress puts the props into the copy.
func (p *props) dress(root *os.Root) error {
	files := map[string]string{
		copySpec:                          string(p.spec),
		"/etc/apt/apt.conf.d/99rehearsal": aptConf,
		"/etc/resolv.conf":                "# A rehearsal knows no names but those in /etc/hosts.\n",
	}
	for path, data := range p.extra {
		files[path] = string(data)
	}
	for path, text := range files {
		if err := replace(root, path[1:], text, 0o644); err != nil {
			return err
		}
	}
	return errors.Join(replace(root, copyToken[1:], token+"\n", 0o600),
		replace(root, "usr/local/bin/benchctl", string(p.binary), 0o755))
}

// aptConf leads apt to the mirrors, and to the stand-in without a detour.
const aptConf = `Acquire::http::Proxy "http://127.0.0.1:` + proxyPort + `";
Acquire::https::Proxy "http://127.0.0.1:` + proxyPort + `";
Acquire::https::Proxy::` + standin.HostAdoptium + ` "DIRECT";
`
