package journal

import (
	"errors"
	"maps"
	"strings"
	"testing"
)

func TestFieldsAreOurs(t *testing.T) {
	t.Parallel()
	var said string
	var level Level
	var vars map[string]string
	l := Log{send: func(m string, p Level, v map[string]string) error {
		said, level, vars = m, p, v
		return nil
	}}
	l.Say(Notice, Fields{"RESOURCE": "cpufreq"}, "policy%d is corrected", 1)
	want := map[string]string{"SYSLOG_IDENTIFIER": "benchctl", "BENCHCTL_RESOURCE": "cpufreq"}
	if said != "policy1 is corrected" || level != Notice || !maps.Equal(vars, want) {
		t.Errorf("the journal got %q, %v, %v", said, level, vars)
	}
}

// A line that the journal does not take is not lost.
func TestPlain(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	refused := &Log{plain: &out, send: func(string, Level, map[string]string) error { return errors.New("no") }}
	for _, l := range []*Log{New(&out), refused} {
		out.Reset()
		l.Say(Info, nil, "in step")
		if out.String() != "benchctl: in step\n" {
			t.Errorf("said %q", out.String())
		}
	}
	(&Log{}).Say(Error, nil, "nobody hears it")
}
