package pause_test

import (
	"strings"
	"testing"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/internal/host/hosttest"
	"github.com/SKaiNET-developers/benchctl/internal/pause"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// machine is one with a state directory, which only root can make.
func machine(t *testing.T) *hosttest.Machine {
	t.Helper()
	m := hosttest.New(t, "")
	if err := m.Mkdir("/var/lib/benchctl", host.Perm{Mode: 0o700}); err != nil {
		t.Skipf("only root makes what is root's: %v", err)
	}
	return m
}

func TestAPauseEndsByItself(t *testing.T) {
	t.Parallel()
	m := machine(t)
	set := pause.Pause{Reason: "BIOS update", By: "ana", Since: noon, Until: noon.Add(2 * time.Hour)}
	if err := pause.Set(m, set); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		at     time.Duration
		paused bool
	}{
		{-24 * time.Hour, true}, // a clock that went back
		{0, true},
		{2*time.Hour - time.Second, true},
		{2 * time.Hour, false},
		{1000 * time.Hour, false},
	} {
		p, err := pause.Load(m, noon.Add(c.at))
		if err != nil || (p != nil) != c.paused {
			t.Errorf("after %s: %v, %v, want a pause: %v", c.at, p, err, c.paused)
		}
		if p != nil && *p != set {
			t.Errorf("after %s: %+v, want %+v", c.at, *p, set)
		}
	}
	if err := pause.Sweep(m, noon); err != nil || m.Text(pause.File) == "" {
		t.Errorf("a pause in force was swept away: %v", err)
	}
	if err := pause.Sweep(m, noon.Add(2*time.Hour)); err != nil || m.Text(pause.File) != "" {
		t.Errorf("a pause that is over was left: %v", err)
	}
}

func TestAPauseWithoutATime(t *testing.T) {
	t.Parallel()
	m := machine(t)
	if err := pause.Set(m, pause.Pause{Reason: "x", By: "ana", Since: noon}); err != nil {
		t.Fatal(err)
	}
	if text := m.Text(pause.File); strings.Contains(text, "until") {
		t.Errorf("the file says until when: %s", text)
	}
	p, err := pause.Load(m, noon.AddDate(5, 0, 0))
	if err != nil || p == nil || !strings.HasSuffix(p.String(), "since 2026-11-23 12:00 UTC, until somebody resumes it: x") {
		t.Errorf("five years later: %v, %v", p, err)
	}
}

// Whatever lies in the place of the file, the host counts as paused, the words
// for it are fit for a terminal, and both verbs get rid of it.
func TestADamagedFileIsAPause(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func(*hosttest.Machine){
		"empty":       func(m *hosttest.Machine) { m.WriteFile(pause.File, "") },
		"torn":        func(m *hosttest.Machine) { m.WriteFile(pause.File, `{"reason": "o`) },
		"no object":   func(m *hosttest.Machine) { m.WriteFile(pause.File, `[]`) },
		"bad time":    func(m *hosttest.Machine) { m.WriteFile(pause.File, `{"until": "tomorrow"}`) },
		"bad year":    func(m *hosttest.Machine) { m.WriteFile(pause.File, `{"until": "99999-01-01T00:00:00Z"}`) },
		"endless":     func(m *hosttest.Machine) { m.WriteFile(pause.File, strings.Repeat(" ", 1<<20)+"{}") },
		"a directory": func(m *hosttest.Machine) { m.WriteFile(pause.File+"/x", "") },
		"a link":      func(m *hosttest.Machine) { _ = m.Symlink("/dev/zero", pause.File) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := machine(t)
			damage(m)
			p, err := pause.Load(m, noon)
			if err != nil || p == nil || p.Damaged == "" || !strings.Contains(p.String(), "counts as paused, since "+pause.File+" is damaged (") {
				t.Fatalf("it counts as %v, %v", p, err)
			}
			if err := pause.Sweep(m, noon); err != nil {
				t.Error(err)
			}
			if p, _ := pause.Load(m, noon); p == nil {
				t.Error("it was swept away")
			}
			if err := pause.Set(m, pause.Pause{Reason: "x", By: "ana", Since: noon}); err != nil {
				t.Error(err)
			}
			if p, err := pause.Load(m, noon); err != nil || p == nil || p.By != "ana" {
				t.Errorf("a pause in its place: %v, %v", p, err)
			}
			if err := pause.Resume(m); err != nil {
				t.Error(err)
			}
			damage(m)
			if err := pause.Resume(m); err != nil {
				t.Error(err)
			}
			if p, err := pause.Load(m, noon); err != nil || p != nil {
				t.Errorf("after a resume: %v, %v", p, err)
			}
		})
	}
}

// What hands wrote into the file prints as one bounded line.
func TestWordsAreFitForATerminal(t *testing.T) {
	t.Parallel()
	m := machine(t)
	m.WriteFile(pause.File, `{"reason": "a\u001b]0;x\u0007\r\n\u202eb`+strings.Repeat("é", 5000)+`", "by": "\u0000"}`)
	p, err := pause.Load(m, noon)
	if err != nil {
		t.Fatal(err)
	}
	if text := p.String(); len([]rune(text)) > 400 || strings.ContainsAny(text, "\x1b\x07\r\n\u202e\x00") {
		t.Errorf("unfit: %q", text)
	}
	if p.By != "unknown" {
		t.Errorf("by %q", p.By)
	}
}

func TestLength(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"2h": 2 * time.Hour, "90m": 90 * time.Minute, "2d": 48 * time.Hour, "1d12h": 36 * time.Hour, "45s": 45 * time.Second, "366d": 366 * 24 * time.Hour,
	} {
		if got, err := pause.Length(text); err != nil || got != want {
			t.Errorf("%s is %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "h", "2", "d", "-1d", "-2h", "0s", "0d", "367d", "1e9d", "99999999999999d", "2562047h", "366d1s", "1d-24h", "2 days", "d2h", "2dd"} {
		if got, err := pause.Length(text); err == nil || !strings.Contains(err.Error(), "cannot pause for ") || !strings.Contains(err.Error(), "; ") {
			t.Errorf("%q is %v, %v, want an error in a sentence", text, got, err)
		}
	}
}

func TestReason(t *testing.T) {
	t.Parallel()
	if got, err := pause.Reason([]string{"BIOS", " update\n\x1b[1m "}); err != nil || got != "BIOS update [1m" {
		t.Errorf("%q, %v", got, err)
	}
	for _, words := range [][]string{nil, {""}, {" ", "\n"}, {"2h"}, {strings.Repeat("é", pause.MaxReason+1)}} {
		if got, err := pause.Reason(words); err == nil {
			t.Errorf("%q became the reason %q", words, got)
		}
	}
	if got, err := pause.Reason([]string{strings.Repeat("é", pause.MaxReason)}); err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

func TestAsker(t *testing.T) {
	t.Parallel()
	const passwd = "root:x:0:0::/root:/bin/sh\nana:x:1000:1000::/home/ana:/bin/sh\n"
	for _, c := range []struct {
		name, sudo, loginuid, want string
	}{
		{"sudo", "bo", "1000", "bo"},
		{"root's sudo of a session of ana's", "root", "1000", "ana"},
		{"a session of ana's", "", "1000\n", "ana"},
		{"a session of root's", "", "0", "root"},
		{"no session", "", "4294967295", "root"},
		{"an account that is gone", "", "1234", "root"},
		{"a name that speaks to the terminal", "a\x1bb", "", "a b"},
	} {
		m := hosttest.New(t, "")
		m.WriteFile("/etc/passwd", passwd)
		if c.loginuid != "" {
			m.WriteFile("/proc/self/loginuid", c.loginuid)
		}
		getenv := func(name string) string { return map[string]string{"SUDO_USER": c.sudo}[name] }
		if got := pause.Asker(m, getenv); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
