package resources

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/internal/host/hosttest"
	"github.com/SKaiNET-developers/benchctl/reconcile"
	"github.com/SKaiNET-developers/benchctl/spec"
)

const (
	laneGroup = "/system.slice/" + laneUnit
	userSlice = "/user.slice/user-998.slice/user@998.service/"
)

// livingHost has a runner that listens, somebody else's processes, and some of
// which nobody can say whose they are.
func livingHost(t *testing.T, what spec.Cleanup) (*hosttest.Machine, survivors) {
	t.Helper()
	m, c := newCleanup(t, what)
	m.Units[laneUnit] = host.Unit{LoadState: "loaded", ActiveState: "active", MainPID: 100}
	m.WriteFile("/proc/stat", "btime 1700000000\n")
	for _, p := range []struct {
		pid, parent, uid int
		name, group      string
	}{
		{1, 0, 0, "systemd", "/init.scope"},
		{100, 1, 998, "runsvc.sh", laneGroup},
		{101, 100, 998, "node", laneGroup},
		{102, 101, 998, "Runner.Listener", laneGroup},
		{200, 1, 998, "left\x1bhere", laneGroup},
		{201, 200, 998, "child", laneGroup},
		{202, 1, 998, "dbus-run", userSlice + "app.slice/run.scope"},
		{300, 1, 998, "systemd", userSlice + "init.scope"},
		{301, 1, 998, "cached", "/system.slice/cache.service"},
		{302, 1, 0, "su", "/user.slice/user-0.slice/session-1.scope"},
		{303, 302, 998, "bash", "/user.slice/user-998.slice/session-2.scope"},
		{304, 1, 999, "other", laneGroup},
	} {
		m.PutProcess(host.Process{PID: p.pid, PPID: p.parent, UID: p.uid, Name: p.name, Start: uint64(p.pid)}, p.group)
	}
	return m, survivors{c.spec}
}

func TestSurvivors(t *testing.T) {
	t.Parallel()
	m, s := livingHost(t, spec.Cleanup{Processes: spec.End})
	changes := diffOf(t, m, s)
	var names []string
	for _, c := range changes {
		names = append(names, c.Field)
	}
	if want := []string{`process 200 (left\x1bhere)`, "process 201 (child)", "process 202 (dbus-run)"}; !slices.Equal(names, want) {
		t.Errorf("found %q, want %q", names, want)
	}
	if c := changes[0]; !strings.HasPrefix(c.Have, "since 2023-11-1") || !strings.HasSuffix(c.Have, ", its job is over") || c.Want != "ended" {
		t.Errorf("it says %+v", c)
	}
	settle(t, m, s)
	if want := []string{"end 200", "end 201", "end 202"}; !slices.Equal(m.Writes, want) {
		t.Errorf("did %q", m.Writes)
	}
}

// While a job runs, its own processes cannot be told from what others left, but
// by their age.
func TestSurvivorsDuringAJob(t *testing.T) {
	t.Parallel()
	m, s := livingHost(t, spec.Cleanup{Processes: spec.End})
	m.PutProcess(host.Process{PID: 150, PPID: 102, UID: 998, Name: "Runner.Worker", Start: 201}, laneGroup)
	m.PutProcess(host.Process{PID: 90, PPID: 150, UID: 998, Name: "bash", Start: 205}, laneGroup)
	if got := diffOf(t, m, s); len(got) != 1 || !strings.HasPrefix(got[0].Field, "process 200 ") {
		t.Errorf("found %q", say(got))
	}
	// A worker that outlived its service still has a job.
	m.Units[laneUnit] = host.Unit{LoadState: "loaded", ActiveState: "inactive"}
	m.PutProcess(host.Process{PID: 150, PPID: 1, UID: 998, Name: "Runner.Worker", Start: 50}, laneGroup)
	if got := diffOf(t, m, s); got != nil {
		t.Errorf("found %q", say(got))
	}
}

// Of an account that a person uses, too, only what is in the unit is a job's.
func TestSurvivorsOfAPersonsAccount(t *testing.T) {
	t.Parallel()
	m, s := livingHost(t, spec.Cleanup{Processes: spec.End})
	s.spec.User.Existing = true
	if got := diffOf(t, m, s); len(got) != 2 || !strings.HasPrefix(got[1].Field, "process 201 ") {
		t.Errorf("found %q", say(got))
	}
}

func TestSurvivorsThatAreHidden(t *testing.T) {
	t.Parallel()
	m, s := livingHost(t, spec.Cleanup{Processes: spec.End})
	m.Units[laneUnit] = host.Unit{LoadState: "loaded", ActiveState: "active", MainPID: 99}
	_, err := s.Diff(t.Context(), m)
	if !errors.Is(err, reconcile.ErrUnknown) || !strings.Contains(err.Error(), "the processes of gha-runner are hidden; run as root") {
		t.Errorf("got %v", err)
	}
}

func TestSurvivorsAreKept(t *testing.T) {
	t.Parallel()
	m, s := livingHost(t, spec.Cleanup{Processes: spec.Keep})
	if all := cleanupOf(s.spec); len(all) != 1 || all[0].ID().String() != "cleanup" {
		t.Errorf("built %d", len(all))
	}
	note := survivorsNote(t.Context(), m, s.spec)
	if !strings.HasPrefix(note, `cleanup.processes: outliving their jobs: process 200 (left\x1bhere) since 2023-11-1`) || !strings.HasSuffix(note, "; `end` would end them") {
		t.Errorf("the note is %q", note)
	}
	s.spec.Cleanup.Processes = spec.End
	if note := survivorsNote(t.Context(), m, s.spec); note != "" {
		t.Errorf("the note is %q", note)
	}
	s.spec.Cleanup = nil
	if cleanupOf(s.spec) != nil || survivorsNote(t.Context(), m, s.spec) != "" {
		t.Error("without the key something is cleaned up")
	}
}
