package rehearse

import (
	"io"
	"strings"
	"testing"

	"github.com/SKaiNET-developers/benchctl/spec"
)

// A copy on a busy machine does not fail its pretend job, and that is said.
func TestACopyOnlyWarns(t *testing.T) {
	t.Parallel()
	for gate, c := range map[string]struct{ policy, want string }{
		"fail":                       {"fail", "warn"},
		"{policy: fail, maxLoad: 2}": {"fail", "warn"},
		"warn":                       {"warn", "warn"},
		"off":                        {"off", "off"},
	} {
		var said strings.Builder
		text := "version: 1\nrunner:\n  url: https://github.com/o/r\ngate: " + gate + "\n"
		s := &stage{Options: Options{Spec: &spec.Spec{Gate: spec.Gate{Policy: c.policy}}, Text: []byte(text), Out: &said}}
		got, err := s.substitute("", nil)
		if err != nil {
			t.Fatal(err)
		}
		if unquoted := strings.ReplaceAll(string(got), `"`, ""); !strings.Contains(unquoted, "\ngate: "+c.want+"\n") {
			t.Errorf("gate: %s became\n%s", gate, got)
		}
		if told := strings.Contains(said.String(), "SIMULATED: gate: warn in place of fail"); told != (c.policy == "fail") {
			t.Errorf("gate: %s was told as %q", gate, said.String())
		}
	}
}

// What the copy's spec has in place of the machine's.
func TestSubstituteAgent(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"schedule: {cron: '*/5 * * * *', splay: 1m}\ngithub: {tokenFile: /etc/benchctl/token}": "schedule: \"0 0 1 1 *\"\ngithub:\n  tokenFile: \"/etc/benchctl/rehearsal-token\"\n",
		"schedule: '@hourly'": "schedule: \"0 0 1 1 *\"\n",
		"gate: 'off'":         "gate: 'off'\n",
	} {
		source := "version: 1\nuser: x\nrunner: {url: https://github.com/o/r, version: 2.336.0}\n" + text + "\n"
		loaded, err := spec.Load("runner.yaml", []byte(source))
		if err != nil {
			t.Fatal(err)
		}
		s := &stage{Options: Options{Spec: loaded, Text: []byte(source), Out: io.Discard}}
		got, err := s.substitute("", nil)
		if err != nil || !strings.HasSuffix(string(got), want) {
			t.Errorf("%s becomes %v\n%s", text, err, got)
		}
		if _, err := spec.Load("runner.yaml", got); err != nil {
			t.Errorf("the copy's spec has problems:\n%v", err)
		}
	}
}
