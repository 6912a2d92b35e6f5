package lab

// A Release is a distribution's release that a machine can run.
type Release struct {
	Name    string // ID-VERSION as os-release(5) says them: debian-12
	suite   string // the archive's name for it
	mirror  string
	updates []string // "MIRROR SUITE" of what is published after the release
	parts   string   // the archive's components
	script  string   // debootstrap's, when it has none of the suite's name
	keyID   string   // fingerprint of the key that signs the archive, when this host may lack it
}

const (
	debianMirror   = "http://deb.debian.org/debian"
	debianSecurity = "http://deb.debian.org/debian-security"
	ubuntuMirror   = "http://archive.ubuntu.com/ubuntu"

	// ubuntuKey is the "Ubuntu Archive Automatic Signing Key (2018)", as
	// the ubuntu-keyring package ships it.
	ubuntuKey = "F6ECB3762474EDA9D21B7022871920D1991BC93C"
)

// The releases that benchctl supports and the lab can make.
var (
	Debian12   = debian("debian-12", "bookworm")
	Debian13   = debian("debian-13", "trixie")
	Ubuntu2204 = ubuntu("ubuntu-22.04", "jammy")
	Ubuntu2404 = ubuntu("ubuntu-24.04", "noble")
)

// Releases are all of them, oldest first within a distribution.
func Releases() []Release { return []Release{Debian12, Debian13, Ubuntu2204, Ubuntu2404} }

// String returns the release's name.
func (r Release) String() string { return r.Name }

func debian(name, suite string) Release {
	return Release{
		Name: name, suite: suite, mirror: debianMirror, parts: "main",
		updates: []string{debianMirror + " " + suite + "-updates", debianSecurity + " " + suite + "-security"},
	}
}

func ubuntu(name, suite string) Release {
	return Release{
		Name: name, suite: suite, mirror: ubuntuMirror, parts: "main universe",
		updates: []string{ubuntuMirror + " " + suite + "-updates", ubuntuMirror + " " + suite + "-security"},
		script:  "/usr/share/debootstrap/scripts/gutsy", // the generic one of all newer releases
		keyID:   ubuntuKey,
	}
}

// sources is the text of the release's sources.list(5).
func (r Release) sources() string {
	text := "deb " + r.mirror + " " + r.suite + " " + r.parts + "\n"
	for _, u := range r.updates {
		text += "deb " + u + " " + r.parts + "\n"
	}
	return text
}
