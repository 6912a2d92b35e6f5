package resources

import (
	"fmt"
	"os"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/internal/host/hosttest"
	"github.com/SKaiNET-developers/benchctl/reconcile"
	"github.com/SKaiNET-developers/benchctl/spec"
)

// obeyCanary stands wherever a secret can: no report may show it.
const obeyCanary = "canary-of-a-secret-4c1f"

// An obeyHost is a bare Debian 13 whose programs behave: useradd makes
// accounts, apt-get installs, config.sh registers, systemd starts.
type obeyHost struct {
	*hosttest.Machine
	t        *testing.T
	gh       *fakeGitHub
	packages map[string]string // installed, with their versions
	accounts func(host.Command) (host.Output, error)
}

func newObeyHost(t *testing.T) *obeyHost {
	t.Helper()
	needRootForOwners(t)
	h := &obeyHost{Machine: machine(t, "acpi-cpufreq"), t: t, gh: &fakeGitHub{}, packages: map[string]string{"dpkg": "1.22"}}
	accounts(h.Machine)
	h.accounts = h.OnRun
	laneSystemd(h.Machine, listensNow)
	h.OnRun = h.run
	for path, text := range map[string]string{
		"/etc/passwd": "root:x:0:0:root:/root:/bin/bash\n", "/etc/group": "root:x:0:\nstaff:x:50:\n", "/etc/shadow": "root:*:1::::::\n",
		"/etc/os-release": osRelease("debian", "13", "trixie"), "/proc/sys/kernel/hostname": "box.example\n",
		"/etc/needrestart/conf.d/": "", "/etc/apt/sources.list.d/": "", "/usr/local/bin/": "", "/var/lib/": "",
		"/root/benchctl": "the running binary", "/srv/pts.deb": "!<arch>\nphoronix", "/srv/jdk.tar.gz": jdkTar(t, "21.0.5"),
		"/srv/key.asc": string(armouredKey(t)), "/srv/token": obeyCanary,
	} {
		h.WriteFile(path, text)
	}
	archive(t, h.Machine, "/srv/runner.tar.gz", runnerFiles)
	h.dpkg()
	return h
}

// spec is every key that makes a resource, with the JDK from where jdk says.
func (h *obeyHost) spec(jdk string) *spec.Spec {
	h.t.Helper()
	s, err := spec.Load("runner.yaml", fmt.Appendf(nil, `version: 1
user: {name: gha-runner, groups: [staff]}
runner:
  url: https://github.com/octo/bench
  version: "2.336.0"
  archive: /srv/runner.tar.gz
  sha256: %s
  labels: [self-hosted, linux, lane]
  env: {https_proxy: "http://me:%s@proxy.example:3128"}
service: {needs: [perf]}
governor: performance
cleanup: {work: 14d, diag: 30d, tools: 90d, processes: end}
jdk: %s
pts: {version: "10.8.6", archive: /srv/pts.deb, sha256: %s}
schedule: "*/30 * * * *"
github: {tokenFile: /srv/token}
notify: {webhook: "https://hooks.example/of/all/hosts"}
`, hexDigest([]byte(h.Text("/srv/runner.tar.gz"))), obeyCanary, jdk, hexDigest([]byte(h.Text("/srv/pts.deb")))))
	if err != nil {
		h.t.Fatal(err)
	}
	return s
}

func (h *obeyHost) build(s *spec.Spec) []reconcile.Resource {
	return Build(s, Options{
		Host: h, GitHub: h.gh, Token: obeyCanary, Getenv: func(string) string { return "" },
		Self: "/root/benchctl", Attended: true, Applying: true,
	})
}

// run does what a program does, as far as benchctl can tell.
func (h *obeyHost) run(cmd host.Command) (host.Output, error) {
	switch path.Base(cmd.Argv[0]) {
	case "useradd", "usermod":
		return h.accounts(cmd)
	case "apt-get":
		return h.apt(cmd.Argv[1:])
	case "sh":
		h.WriteFile("/var/lib/gha-runner/"+ptsDir+"/user-config.xml", string(cmd.Stdin))
	case "config.sh":
		return h.configure(cmd)
	case "systemd-analyze":
		return host.Output{Stdout: []byte("→ Overall exposure level for x.service: 1.3 OK 🙂\n")}, nil
	default:
		h.t.Errorf("nobody expected %q", cmd.Argv)
	}
	return host.Output{}, nil
}

// configure registers, and takes a snapshot of its own environment as config.sh
// does, with a secret that somebody left in it.
func (h *obeyHost) configure(cmd host.Command) (host.Output, error) {
	out, err := (&bench{Machine: h.Machine, gh: h.gh}).run(cmd)
	if cmd.Argv[1] != "remove" {
		for _, name := range []string{".runner", ".credentials", ".credentials_rsaparams"} {
			if err := os.Chown(h.Path(laneDir+"/"+name), 998, 998); err != nil {
				h.t.Error(err)
			}
		}
		h.WriteFile(laneDir+"/.path", "/usr/bin\n")
		h.WriteFile(laneDir+"/.env", "LANG=C.UTF-8\nDEPLOY_TOKEN="+obeyCanary+"\n")
	}
	return out, err
}

// apt simulates an installation, or makes it.
func (h *obeyHost) apt(args []string) (host.Output, error) {
	var plan string
	at := slices.Index(args, "install")
	for _, name := range args[at+1:] {
		version := "1.0-1"
		switch {
		case at < 0 || strings.HasPrefix(name, "-"):
			continue
		case strings.HasSuffix(name, ".deb"):
			name, version = ptsPackage, "10.8.6"
		}
		have := ""
		if old := h.packages[name]; old != "" {
			have = "[" + old + "] "
		}
		plan += fmt.Sprintf("Inst %s %s(%s Debian:13 [amd64])\n", name, have, version)
		if !slices.Contains(args, "-s") {
			h.unpack(name, version)
		}
	}
	return host.Output{Stdout: []byte(plan)}, nil
}

func (h *obeyHost) unpack(name, version string) {
	h.packages[name] = version
	h.dpkg()
	switch name {
	case "openjdk-21-jdk-headless":
		putJava(h.Machine, "/usr/lib/jvm/java-21-openjdk-"+dpkgArch(), "21.0.5")
	case "temurin-21-jdk":
		putJava(h.Machine, "/usr/lib/jvm/temurin-21-jdk-"+dpkgArch(), "21.0.5")
	}
}

// dpkg writes dpkg's status file anew, as dpkg does.
func (h *obeyHost) dpkg() {
	var text string
	for _, name := range keysOf(h.packages, nil) {
		text += stanza(name, "install ok installed", "amd64", h.packages[name])
	}
	if err := os.RemoveAll(h.Path(dpkgStatusFile)); err != nil {
		h.t.Fatal(err)
	}
	h.WriteFile(dpkgStatusFile, text)
}
