package spec

import (
	"fmt"
	"slices"
	"strings"
)

// The governors of the mainline kernel (drivers/cpufreq/cpufreq_*.c).
var governors = []string{"conservative", "ondemand", "performance", "powersave", "schedutil", "userspace"}

// governorName: letters that CPUFREQ_NAME_LEN (16, with the final NUL) has room for.
func governorName(s string) bool { return word(s, lower, lower+digits+"_", 15) }

func (l *loader) governor(f *field) *Governor {
	if !f.has() {
		return nil
	}
	name := f.get("name")
	g := &Governor{Name: name.text(), IfUnsupported: f.get("ifUnsupported").text()}
	switch {
	case !name.has() || slices.Contains(governors, g.Name):
	case nearest(g.Name, governors) != "":
		l.fault(name, "did you mean "+nearest(g.Name, governors)+"?", "%s is not a governor", quote(g.Name))
	case !governorName(g.Name):
		l.fault(name, "the kernel's own are "+strings.Join(governors, ", "), "%s is not a governor", quote(g.Name))
	default:
		l.warn(name, "the kernel's own are "+strings.Join(governors, ", "), "%s is a governor that the kernel does not come with", quote(g.Name))
	}
	return g
}

// ptsVersion is two or more numbers, perhaps with a word such as m2 behind.
func ptsVersion(s string) bool {
	i := strings.IndexAny(s, lower)
	if i < 0 {
		i = len(s)
	}
	return strings.Contains(s[:i], ".") && numbers(s[:i], -1) && (i == len(s) || only(s[i:], lower+digits))
}

// ptsArchive is where the project publishes its Debian packages.
const ptsArchive = "https://github.com/phoronix-test-suite/phoronix-test-suite/releases/download/v%[1]s/phoronix-test-suite_%[1]s_all.deb"

func (l *loader) pts(f *field) *PTS {
	if !f.has() {
		return nil
	}
	version, archive := f.get("version"), f.get("archive")
	p := &PTS{Version: version.text(), Archive: l.download(archive), SHA256: l.sha256(f.get("sha256"))}
	if version.has() && !ptsVersion(p.Version) {
		l.fault(version, "write a version such as 10.8.6", "%s is not a version of the Phoronix Test Suite", quote(p.Version))
	}
	if !archive.has() {
		p.Archive = fmt.Sprintf(ptsArchive, p.Version)
	}
	l.undigested(f.get("sha256"), "the .deb")
	return p
}
