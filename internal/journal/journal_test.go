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

// A line keeps its unit when its process is gone before journald looks.
func TestALineNamesItsUnit(t *testing.T) {
	t.Parallel()
	for cgroup, want := range map[string]string{
		"0::/system.slice/benchctl.service\n":                                            "benchctl.service",
		"12:cpu:/x.service\n1:name=systemd:/system.slice/benchctl-apply.service\n0::/\n": "benchctl-apply.service",
		"0::/user.slice/user-0.slice/session-3.scope\n":                                  "",
		"": "",
	} {
		if got := unitIn([]byte(cgroup)); got != want {
			t.Errorf("%q is in %q, want %q", cgroup, got, want)
		}
	}
	if vars := (&Log{unit: "benchctl.service"}).named(nil); vars["OBJECT_SYSTEMD_UNIT"] != "benchctl.service" {
		t.Errorf("the journal gets %v", vars)
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
