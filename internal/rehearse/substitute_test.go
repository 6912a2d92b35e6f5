package rehearse

import (
	"strings"
	"testing"

	"github.com/SKaiNET-developers/benchctl/spec"
)

// A copy on a busy machine does not fail its pretend job, and that is said.
func TestACopyOnlyWarns(t *testing.T) {
	t.Parallel()
	for gate, want := range map[string]string{"fail": "warn", "warn": "warn", "off": "off"} {
		var said strings.Builder
		text := "version: 1\nrunner:\n  url: https://github.com/o/r\ngate: " + gate + "\n"
		s := &stage{Options: Options{Spec: &spec.Spec{Gate: gate}, Text: []byte(text), Out: &said}}
		got, err := s.substitute("", nil)
		if err != nil {
			t.Fatal(err)
		}
		if unquoted := strings.ReplaceAll(string(got), `"`, ""); !strings.Contains(unquoted, "\ngate: "+want+"\n") {
			t.Errorf("gate: %s became\n%s", gate, got)
		}
		if told := strings.Contains(said.String(), "SIMULATED: gate: warn in place of fail"); told != (gate == "fail") {
			t.Errorf("gate: %s was told as %q", gate, said.String())
		}
	}
}
