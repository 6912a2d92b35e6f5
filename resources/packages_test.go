package resources

import (
	"slices"
	"strings"
	"testing"

	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/internal/host/hosttest"
)

// osRelease is the part of os-release(5) that is read.
func osRelease(id, version, codename string) string {
	return "NAME=\"A Linux\"\nID=" + id + "\nVERSION_ID=\"" + version + "\"\nVERSION_CODENAME=" + codename + "\n"
}

// debianHost is a machine with a release and installed packages.
func debianHost(t *testing.T, id, version string, packages ...string) *hosttest.Machine {
	t.Helper()
	m := hosttest.New(t, "")
	m.WriteFile("/etc/os-release", osRelease(id, version, "codename"))
	m.WriteFile(dpkgStatusFile, dpkg(packages...))
	return m
}

func TestPackagesOfEachRelease(t *testing.T) {
	t.Parallel()
	common := []string{"libkrb5-3", "zlib1g", "libstdc++6", "ca-certificates", "git"}
	for _, tt := range []struct{ id, version, icu, ssl string }{
		{"debian", "12", "libicu72", "libssl3"},
		{"debian", "13", "libicu76", "libssl3t64"},
		{"ubuntu", "22.04", "libicu70", "libssl3"},
		{"ubuntu", "24.04", "libicu74", "libssl3t64"},
	} {
		t.Run(tt.id+" "+tt.version, func(t *testing.T) {
			t.Parallel()
			p := Packages{NewApt()}
			bare := debianHost(t, tt.id, tt.version, common...)
			changes, err := p.Diff(t.Context(), bare)
			want := "libicu: absent -> " + tt.icu + "; libssl: absent -> " + tt.ssl
			if say(changes) != want || err != nil {
				t.Errorf("diff says %q, %v; want %q", say(changes), err, want)
			}
			full := debianHost(t, tt.id, tt.version, append(common, tt.icu, tt.ssl)...)
			changes, err = Packages{NewApt()}.Diff(t.Context(), full)
			if len(changes) > 0 || err != nil {
				t.Errorf("in step, diff says %q, %v", say(changes), err)
			}
		})
	}
}

// A host upgraded from one release to the next keeps libraries that will do.
func TestPackagesOfAnOlderReleaseWillDo(t *testing.T) {
	t.Parallel()
	m := debianHost(t, "debian", "13", "libicu72", "libssl3", "libkrb5-3", "zlib1g", "libstdc++6", "ca-certificates", "git")
	if changes, err := (Packages{NewApt()}).Diff(t.Context(), m); len(changes) > 0 || err != nil {
		t.Errorf("diff says %q, %v", say(changes), err)
	}
}

func TestPackagesOfAnUnknownReleaseAreAskedFor(t *testing.T) {
	t.Parallel()
	m := debianHost(t, "debian", "14", "libssl4", "libkrb5-3", "zlib1g", "libstdc++6", "ca-certificates", "git")
	m.OnRun = script{"^libicu": {"libicu9 - old\nlibicu78 - International Components for Unicode\n"}, "-s": {"Inst libicu78 (78 x [amd64])\n"}}.run
	if err := (Packages{NewApt()}).Apply(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if last := m.Ran[len(m.Ran)-1]; last[len(last)-1] != "libicu78" {
		t.Errorf("installed %q, want libicu78", last)
	}

	m = debianHost(t, "debian", "15", "libssl4", "libkrb5-3", "zlib1g", "libstdc++6", "ca-certificates", "git")
	m.OnRun = func(host.Command) (host.Output, error) { return host.Output{}, nil }
	err := (Packages{NewApt()}).Apply(t.Context(), m)
	if err == nil || !strings.Contains(err.Error(), "cannot install libicu: Debian 15 has no package like") {
		t.Errorf("error %v", err)
	}
	if !slices.Contains(verbs(m), "update") || slices.Contains(verbs(m), "install") {
		t.Errorf("apt was asked to %v", verbs(m))
	}
}

func TestApplyMendsBeforeItInstalls(t *testing.T) {
	t.Parallel()
	m := debianHost(t, "debian", "12", "libicu72", "libssl3", "libkrb5-3", "zlib1g", "libstdc++6", "ca-certificates")
	whole := m.Text(dpkgStatusFile)
	m.WriteFile(dpkgStatusFile, whole+stanza("hello", "install ok unpacked", "amd64", "2.10"))
	m.OnRun = func(cmd host.Command) (host.Output, error) {
		if cmd.Argv[0] == "dpkg" {
			m.WriteFile(dpkgStatusFile, whole+stanza("hello", "install ok installed", "amd64", "2.10")+"\n")
		}
		return host.Output{Stdout: []byte(planInstall)}, nil
	}
	if err := (Packages{NewApt()}).Apply(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(verbs(m), " "); got != "dpkg simulate install" {
		t.Errorf("did %q", got)
	}
}

func TestWhatCannotBeMendedIsNamed(t *testing.T) {
	t.Parallel()
	m := debianHost(t, "debian", "12")
	m.WriteFile(dpkgStatusFile, dpkg()+stanza("hello", "install ok half-configured", "amd64", "2.10"))
	m.OnRun = func(cmd host.Command) (host.Output, error) {
		if cmd.Argv[0] == "dpkg" {
			out := host.Output{Stdout: []byte("dpkg: error processing package hello (--configure):\n")}
			return out, &host.CommandError{Argv: cmd.Argv, Status: 1, Output: out}
		}
		return host.Output{}, nil
	}
	err := (Packages{NewApt()}).Apply(t.Context(), m)
	if err == nil || !strings.Contains(err.Error(), "cannot finish hello (half-configured): ") || !strings.Contains(err.Error(), "could not be set up") {
		t.Errorf("error %v", err)
	}
}
