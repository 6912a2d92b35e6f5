package doctor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/github/actions"
	"github.com/SKaiNET-developers/benchctl/internal/host/hosttest"
	"github.com/SKaiNET-developers/benchctl/reconcile"
	"github.com/SKaiNET-developers/benchctl/spec"
)

const laptop = `A laptop on its battery, with an Intel processor and a rival.
-- etc/os-release --
PRETTY_NAME="Ubuntu 24.04.3 LTS"
ID=ubuntu
VERSION_ID="24.04"
-- proc/cpuinfo --
flags : fpu vme
-- sys/class/dmi/id/product_name --
ThinkPad X1
-- sys/devices/system/cpu/cpufreq/policy0/scaling_driver --
intel_pstate
-- sys/devices/system/cpu/cpufreq/policy0/scaling_available_governors --
performance powersave
-- sys/devices/system/cpu/intel_pstate/status --
active
-- sys/devices/system/cpu/intel_pstate/no_turbo --
0
-- sys/devices/system/cpu/smt/active --
1
-- sys/class/power_supply/BAT0/type --
Battery
-- sys/class/power_supply/AC/type --
Mains
-- sys/class/power_supply/AC/online --
0
-- sys/class/power_supply/mouse/type --
Battery
-- sys/class/power_supply/mouse/scope --
Device
-- proc/acpi/button/lid/LID/state --
state: open
-- etc/systemd/logind.conf --
[Login]
#HandleLidSwitch=ignore
-- run/systemd/timesync/synchronized --
`

const text = `version: 1
user: gha-runner
runner:
  url: https://github.com/octo/bench
  version: "2.336.0"
  labels: [self-hosted, linux, x86_64, bench-7]
governor: performance
`

var now = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func newDoctor(t *testing.T, archive string, edit ...func(*spec.Spec)) (*Doctor, *hosttest.Machine) {
	t.Helper()
	s, err := spec.Load("runner.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range edit {
		e(s)
	}
	m := hosttest.New(t, archive)
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	m.WriteFile("/proc/self/exe", string(self))
	return &Doctor{
		Host: m, Spec: s, Root: true, Now: now, Systemd: 255,
		Labels: append([]string{"self-hosted", "Linux", "X64"}, s.Runner.Labels...),
	}, m
}

// lines are a report as text, one check each.
func lines(r *Report) string {
	var b strings.Builder
	for _, c := range r.Checks {
		fmt.Fprintf(&b, "%s/%s %s: %s", c.Group, c.Name, c.Verdict, c.Says)
		if c.Next != "" {
			fmt.Fprintf(&b, " | %s", c.Next)
		}
		b.WriteString("\n")
	}
	return b.String()
}

func wants(t *testing.T, got string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(got, part) {
			t.Errorf("nothing says %q in\n%s", part, got)
		}
	}
}

func TestALaptop(t *testing.T) {
	t.Parallel()
	d, m := newDoctor(t, laptop)
	d.Outcomes = []reconcile.Outcome{
		{ID: reconcile.ID{Kind: "packages"}, Status: reconcile.Unchanged},
		{ID: reconcile.ID{Kind: "jdk"}, Status: reconcile.Pending, Changes: []reconcile.Change{{Field: "version", Have: "17", Want: "21"}}},
	}
	r := d.Examine(t.Context())
	if r.Sound() {
		t.Error("a laptop on its battery is sound")
	}
	wants(t, lines(r),
		"machine/processor ok: Linux x86_64", "machine/release ok: Ubuntu 24.04.3 LTS", "machine/systemd ok: version 255",
		"machine/time ok: systemd-timesyncd keeps the clock", "machine/hardware ok: a real machine (ThinkPad X1)", "SELinux ok: not in use",
		"power/laptop error: it runs on its battery, which makes it another machine | plug it in",
		"power/sleep warning", "power/lid warning: closing the lid suspends it",
		"measuring/cpufreq ok: intel_pstate, intel_pstate is active, 1 policy, governors performance powersave",
		"measuring/governor ok: performance is offered", "turbo ok: on", "SMT ok: on",
		"software/packages ok", "software/jdk warning: version is 17, wanted 21 | benchctl apply makes it so",
		"jobs/who reaches this runner unknown", "network/destinations unknown")
	m.WriteFile("/sys/class/power_supply/AC/online", "1\n")
	m.WriteFile("/etc/systemd/logind.conf.d/lid.conf", "[Login]\nHandleLidSwitch=ignore\n")
	got := lines(d.Examine(t.Context()))
	wants(t, got, "power/laptop ok: on AC power")
	if strings.Contains(got, "power/lid") {
		t.Errorf("a lid that is ignored is told of:\n%s", got)
	}
}

func TestMachinesThatWillNotDo(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		file, text string
		edit       func(*Doctor)
		says       string
	}{
		"an old release":    {"/etc/os-release", "PRETTY_NAME=\"Debian 11\"\nID=debian\nVERSION_ID=\"11\"\n", nil, "release error: Debian 11 is too old: the first that benchctl serves is 12 | upgrade"},
		"another one":       {"/etc/os-release", "PRETTY_NAME=\"Arch Linux\"\nID=arch\n", nil, "release warning: Arch Linux is not a release that benchctl is tested on"},
		"testing":           {"/etc/os-release", "PRETTY_NAME=\"Debian forky/sid\"\nID=debian\n", nil, "release warning: Debian forky/sid says no version"},
		"another processor": {"/proc/self/exe", "#!/bin/sh", nil, "processor error"},
		"no systemd":        {"", "", func(d *Doctor) { d.Systemd = 0 }, "systemd error: systemd does not run this machine"},
		"an old systemd":    {"", "", func(d *Doctor) { d.Systemd = 247 }, "systemd error: systemd 247 is too old: 249"},
		"not root":          {"", "", func(d *Doctor) { d.Root = false }, "root warning: you are not root"},
		"a virtual machine": {"/proc/cpuinfo", "flags : fpu hypervisor vme\n", nil, "hardware warning: this is a virtual machine (ThinkPad X1)"},
		"SELinux":           {"/sys/fs/selinux/enforce", "1", nil, "SELinux warning: it enforces"},
		"a governor it lacks": {"/sys/devices/system/cpu/cpufreq/policy0/scaling_available_governors", "powersave\n", nil,
			"governor error: the driver does not offer performance | choose"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, m := newDoctor(t, laptop)
			if c.file != "" {
				m.WriteFile(c.file, c.text)
			}
			if c.edit != nil {
				c.edit(d)
			}
			wants(t, lines(d.Examine(t.Context())), c.says)
		})
	}
}

// atGitHub answers what a doctor asks.
type atGitHub struct {
	private bool
	files   []actions.File
	unread  int
	groups  []actions.Group
	ends    time.Time
	err     error
}

func (g atGitHub) Repository(context.Context) (actions.Repository, error) {
	return actions.Repository{Private: g.private}, g.err
}
func (g atGitHub) Workflows(context.Context) ([]actions.File, int, error) {
	return g.files, g.unread, g.err
}
func (g atGitHub) Groups(context.Context, time.Duration) ([]actions.Group, error) {
	return g.groups, g.err
}
func (g atGitHub) Deprecation(context.Context, string) (actions.Deprecation, error) {
	return actions.Deprecation{Runtime: g.ends}, g.err
}

func TestWhoReachesTheRunner(t *testing.T) {
	t.Parallel()
	d, _ := newDoctor(t, laptop)
	gh := atGitHub{ends: now.Add(5 * 24 * time.Hour), files: []actions.File{
		{Path: ".github/workflows/bench.yml", Text: []byte(`
on: {workflow_dispatch: {}, schedule: [{cron: "0 3 * * *"}]}
jobs:
  engine: {runs-on: [self-hosted, Linux, X64, BENCH-7], steps: []}
  gpu: {runs-on: [self-hosted, bench-7, gpu]}
  matrix: {runs-on: "${{ matrix.os }}"}
  hosted: {runs-on: ubuntu-latest}
  called: {uses: ./.github/workflows/other.yml}
  grouped: {runs-on: {group: fast, labels: bench-7}}
`)},
		{Path: ".github/workflows/pr.yaml", Text: []byte("on: [push, pull_request]\njobs: {test: {runs-on: self-hosted}}\n")},
		{Path: ".github/workflows/odd.yml", Text: []byte("jobs: [1, 2")},
	}}
	d.GitHub, d.Repository = gh, gh
	got := lines(d.Examine(t.Context()))
	wants(t, got,
		"runner version warning: GitHub gives 2.336.0 jobs until 2026-11-28 | set runner.version to a newer one before",
		"jobs/repository warning: it is public",
		"job ok: job engine of .github/workflows/bench.yml reaches this runner on workflow_dispatch, schedule",
		"job warning: job gpu of .github/workflows/bench.yml asks for gpu, which this runner lacks: unless another one has it, the job waits for ever",
		"job unknown: job matrix of .github/workflows/bench.yml chooses its runner when it runs: ${{ matrix.os }}",
		"job unknown: job grouped of .github/workflows/bench.yml asks for the group fast",
		"job warning: job test of .github/workflows/pr.yaml reaches this runner on push, pull_request: with pull_request, somebody from outside brings the code",
		"workflow unknown: cannot read .github/workflows/odd.yml: it is not a workflow")
	if strings.Contains(got, "job hosted") {
		t.Errorf("that job is not about this runner:\n%s", got)
	}
}

// A workflow that others call is started by whatever starts those.
func TestWhoReachesTheRunnerOverOthers(t *testing.T) {
	t.Parallel()
	d, _ := newDoctor(t, laptop)
	gh := atGitHub{files: []actions.File{
		{Path: ".github/workflows/bench.yml", Text: []byte("on: workflow_call\njobs: {engine: {runs-on: [self-hosted, bench-7]}}\n")},
		{Path: ".github/workflows/ci.yml", Text: []byte("on: [push, pull_request_review]\njobs: {all: {uses: ./.github/workflows/middle.yml}}\n")},
		{Path: ".github/workflows/loop.yml", Text: []byte("on: workflow_call\njobs: {again: {uses: ./.github/workflows/loop.yml}}\n")},
		{Path: ".github/workflows/middle.yml", Text: []byte(`
on: {workflow_call: }
jobs:
  here: {uses: ./.github/workflows/bench.yml}
  there: {uses: octo/shared/.github/workflows/bench.yml@v1}
  nowhere: {uses: ./.github/workflows/gone.yml}
`)},
	}}
	d.GitHub, d.Repository = gh, gh
	wants(t, lines(d.Examine(t.Context())),
		"job warning: job engine of .github/workflows/bench.yml reaches this runner on workflow_call, push, pull_request_review: with pull_request_review, somebody from outside brings the code",
		"job unknown: job there of .github/workflows/middle.yml calls octo/shared/.github/workflows/bench.yml@v1, on workflow_call, push, pull_request_review | see there",
		"job unknown: job nowhere of .github/workflows/middle.yml calls ./.github/workflows/gone.yml")
}

// What could be read is told, whatever could not; and what is not in it may be in
// the rest.
func TestWorkflowsOfWhichSomeCannotBeRead(t *testing.T) {
	t.Parallel()
	for _, gh := range []atGitHub{{unread: 2}, {unread: 2, err: errors.New("cannot read .github/workflows/z.yml: it is away")}} {
		gh.files = []actions.File{{Path: "a.yml", Text: []byte("on: push\njobs: {engine: {runs-on: [self-hosted, bench-7]}}\n")}}
		d, _ := newDoctor(t, laptop)
		d.GitHub, d.Repository = gh, gh
		got := lines(d.Examine(t.Context()))
		wants(t, got, "job engine of a.yml reaches this runner on push", "workflows unknown: the repository has 3 workflows, of which 1 were read")
		if gh.err != nil {
			wants(t, got, "workflows unknown: cannot read .github/workflows/z.yml: it is away")
		}
		gh.files[0].Text = []byte("on: push\njobs: {engine: {runs-on: ubuntu-latest}}\n")
		if got := lines(d.Examine(t.Context())); strings.Contains(got, "reaches this runner") || strings.Contains(got, "there is no workflow") {
			t.Errorf("it goes by what it did not read:\n%s", got)
		}
	}
}

// The runner of an organization is in a group, which jobs ask for.
func TestWhoReachesTheRunnerOfAnOrganization(t *testing.T) {
	t.Parallel()
	d, _ := newDoctor(t, laptop)
	d.Spec.Runner.URL.Scope, d.Spec.Runner.Group = spec.Organization, "Bench"
	gh := atGitHub{private: true, groups: []actions.Group{{Name: "Bench", Visibility: "all"}}, files: []actions.File{{
		Path: ".github/workflows/bench.yml",
		Text: []byte("on: push\njobs: {here: {runs-on: {group: bench}}, labelled: {runs-on: {group: bench, labels: gpu}}, there: {runs-on: {group: fast}}}\n"),
	}}}
	d.GitHub, d.Repository = gh, gh
	got := lines(d.Examine(t.Context()))
	wants(t, got, "runner group ok: Bench is open to all repositories", "jobs/repository ok: private",
		"job ok: job here of .github/workflows/bench.yml reaches this runner on push",
		"job unknown: job there of .github/workflows/bench.yml asks for the group fast, and this runner is in Bench")
	if strings.Contains(got, "job labelled of .github/workflows/bench.yml reaches") {
		t.Errorf("that job asks for a label, too:\n%s", got)
	}
}

func TestWhatGitHubSays(t *testing.T) {
	t.Parallel()
	organization := func(s *spec.Spec) { s.Runner.URL.Scope, s.Runner.Group = spec.Organization, "bench" }
	for name, c := range map[string]struct {
		edit func(*spec.Spec)
		gh   atGitHub
		says string
	}{
		"private, no workflow": {nil, atGitHub{private: true}, "there is no workflow on the default branch | give a job runs-on: [self-hosted, linux, x86_64, bench-7]"},
		"very many workflows":  {nil, atGitHub{private: true, unread: 7}, "workflows unknown: the repository has 7 workflows, of which 0 were read"},
		"no labels":            {func(s *spec.Spec) { s.Runner.Labels = nil }, atGitHub{private: true}, "there is no workflow on the default branch | give a job runs-on: [self-hosted, Linux, X64]"},
		"ended":                {nil, atGitHub{ends: now.Add(-time.Hour)}, "runner version error: GitHub gives 2.336.0 no jobs since 2026-11-23"},
		"too old":              {func(s *spec.Spec) { s.Runner.Version = "2.328.0" }, atGitHub{}, "runner version error: GitHub registers no runner older than 2.329.0, and this is 2.328.0"},
		"away":                 {nil, atGitHub{err: errors.New("cannot look at octo/bench: it is away")}, "jobs/repository unknown: cannot look at octo/bench: it is away"},
		"an open group":        {organization, atGitHub{groups: []actions.Group{{Name: "Bench", Visibility: "all", Public: true}}}, "runner group warning: Bench is open to all repositories, public ones too"},
		"a closed group":       {organization, atGitHub{groups: []actions.Group{{Name: "bench", Visibility: "selected", Restricted: true, Workflows: []string{"o/r/.github/workflows/a.yml@main"}}}}, "runner group ok: bench is open to selected repositories, and only to the workflows o/r"},
		"no such group":        {organization, atGitHub{}, "runner group error: there is no group bench"},
		"no repository named":  {organization, atGitHub{}, "workflows unknown: the jobs of every repository of octo may reach this runner, and no repository was named | name one after the other with --repo"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, _ := newDoctor(t, laptop)
			if c.edit != nil {
				c.edit(d.Spec)
			}
			d.GitHub = c.gh
			if !d.shared() {
				d.Repository = c.gh
			}
			wants(t, lines(d.Examine(t.Context())), c.says)
		})
	}
}
