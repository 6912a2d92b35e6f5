package rehearse

import (
	"bytes"
	"fmt"
	"net/url"
	"os"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/SKaiNET-developers/benchctl/internal/standin"
	"github.com/SKaiNET-developers/benchctl/spec"
)

// substitute returns the copy's runner.yaml: this one, but for the digests and
// keys of what the stand-in serves. Each difference is told.
//
// What the copy needs as a file besides is put into extra, by path.
func (s *stage) substitute(runnerSHA256 string, extra map[string][]byte) ([]byte, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(s.Text, &doc); err != nil {
		return nil, fmt.Errorf("cannot read the spec again: %w", err)
	}
	top := doc.Content[0]
	runner := mapping(top, "runner", "")
	drop(runner, "archive")
	if s.Spec.Runner.SHA256 != "" {
		set(runner, "sha256", runnerSHA256)
	}
	if s.Spec.PTS != nil && !s.RealDownloads {
		if err := s.substitutePTS(top); err != nil {
			return nil, err
		}
	}
	if s.Spec.JDK != nil && !s.RealDownloads {
		if err := s.substituteJDK(top, extra); err != nil {
			return nil, err
		}
	}
	if s.Spec.Gate.Policy == "fail" {
		set(top, "gate", "warn")
		s.say("SIMULATED: gate: warn in place of fail, since a copy that was just made is not a quiet host.")
	}
	s.substituteAgent(top)
	var out bytes.Buffer
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(2)
	if err := enc.Encode(&doc); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// substituteAgent lets the agent run in the copy without a hand in the play: it
// would mend what is shown, and the machine's credentials are not there.
func (s *stage) substituteAgent(top *yaml.Node) {
	if s.Spec.Schedule != nil {
		drop(top, "schedule")
		set(top, "schedule", "0 0 1 1 *")
		s.say("SIMULATED: the agent runs, and looks once a year, so that it does not mend what is shown here.")
	}
	if s.Spec.GitHub.TokenFile != "" || s.Spec.GitHub.App != nil {
		drop(top, "github")
		set(mapping(top, "github", ""), "tokenFile", copyToken)
		s.say("STAND-IN: the credentials, which GitHub would not know.")
	}
}

func (s *stage) substitutePTS(top *yaml.Node) error {
	deb, err := s.hub.PublishPTS(s.Spec.PTS.Version)
	if err != nil {
		return err
	}
	pts := mapping(top, "pts", "version")
	drop(pts, "archive")
	set(pts, "sha256", deb.SHA256)
	s.say("STAND-IN: Phoronix Test Suite %s; its dependencies are the distribution's.", s.Spec.PTS.Version)
	return nil
}

// substituteJDK serves what is not the distribution's Java.
func (s *stage) substituteJDK(top *yaml.Node, extra map[string][]byte) error {
	j := s.Spec.JDK
	jdk := mapping(top, "jdk", "version")
	switch {
	case j.Archive != "":
		archive, err := standin.JDKArchive(j.Version + ".0.1")
		if err != nil {
			return err
		}
		at := "/var/cache/benchctl-rehearsal-jdk.tar.gz"
		extra[at] = archive.Data
		set(jdk, "archive", at)
		set(jdk, "sha256", archive.SHA256)
	case j.Repository != nil:
		repository, err := standin.Adoptium("amd64", []string{s.codename()}, standin.DebTemurin(j.Version, j.Version+".0.1", "amd64"))
		if err != nil {
			return err
		}
		s.hub.Mount(standin.HostAdoptium, repository)
		drop(jdk, "repository")
		drop(jdk, "vendor")
		set(jdk, "vendor", spec.Temurin)
		set(mapping(jdk, "repository", ""), "fingerprint", repository.Fingerprint)
	default:
		return nil
	}
	s.say("STAND-IN: Java %s in place of the one that the spec names, with a repository key of its own.", j.Version)
	return nil
}

// codename is the release's, as apt repositories name it (os-release(5)).
func (s *stage) codename() string {
	data, _ := os.ReadFile("/etc/os-release")
	for line := range strings.Lines(string(data)) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "VERSION_CODENAME="); ok {
			return strings.Trim(name, `"`)
		}
	}
	return "stable"
}

// downloadHosts are where real downloads come from. GitHub is never among
// them: no rehearsal can touch it.
func (s *stage) downloadHosts() []string {
	if !s.RealDownloads {
		return nil
	}
	var hosts []string
	for _, text := range downloads(s.Spec) {
		if u, err := url.Parse(text); err == nil && u.Hostname() != "" && !s.plays(u.Hostname()) {
			hosts = append(hosts, u.Hostname())
		}
	}
	return hosts
}

func downloads(s *spec.Spec) []string {
	var urls []string
	if s.PTS != nil {
		urls = append(urls, s.PTS.Archive)
	}
	if s.JDK != nil {
		urls = append(urls, s.JDK.Archive)
		if r := s.JDK.Repository; r != nil {
			urls = append(urls, r.URL, r.Key)
		}
	}
	return urls
}

// plays reports whether a name is GitHub's own in the copy.
func (s *stage) plays(host string) bool {
	switch host {
	case standin.HostWeb, standin.HostAPI, standin.HostAssets, standin.HostBroker, s.Spec.Runner.URL.Host:
		return true
	}
	return false
}

// downloadEnv leads benchctl in the copy to the real downloads.
func (s *stage) downloadEnv() []string {
	if !s.RealDownloads {
		return nil
	}
	github := []string{standin.HostWeb, standin.HostAPI, standin.HostAssets, standin.HostBroker, s.Spec.Runner.URL.Host}
	return []string{"https_proxy=http://127.0.0.1:" + proxyPort, "http_proxy=http://127.0.0.1:" + proxyPort, "no_proxy=" + strings.Join(github, ",")}
}

// mapping returns the mapping at key, made if there is none. A scalar there is
// short for a mapping with that one key.
func mapping(m *yaml.Node, key, short string) *yaml.Node {
	for i := 0; i < len(m.Content); i += 2 {
		if m.Content[i].Value != key {
			continue
		}
		v := m.Content[i+1]
		if v.Kind == yaml.ScalarNode {
			scalar := *v
			m.Content[i+1] = &yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{word(short), &scalar}}
		}
		return m.Content[i+1]
	}
	v := &yaml.Node{Kind: yaml.MappingNode}
	m.Content = append(m.Content, word(key), v)
	return v
}

func set(m *yaml.Node, key, value string) {
	drop(m, key)
	m.Content = append(m.Content, word(key), &yaml.Node{Kind: yaml.ScalarNode, Value: value, Style: yaml.DoubleQuotedStyle})
}

func drop(m *yaml.Node, key string) {
	for i := 0; i < len(m.Content); i += 2 {
		if m.Content[i].Value == key {
			m.Content = append(m.Content[:i], m.Content[i+2:]...)
			return
		}
	}
}

func word(s string) *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Value: s} }
