package resources

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"

	"github.com/SKaiNET-developers/benchctl/internal/host"
)

// Where dpkg keeps what it knows (dpkg(1), FILES).
const (
	dpkgStatusFile = "/var/lib/dpkg/status"
	dpkgUpdates    = "/var/lib/dpkg/updates" // its journal: files here mean it was cut off
	dpkgInfo       = "/var/lib/dpkg/info"
)

// A dpkgPackage is one stanza of dpkg's status file.
type dpkgPackage struct {
	Name, Version, Arch string
	State               string // the last word of Status: installed, unpacked, half-configured ...
	Reinstall           bool   // dpkg wants it unpacked anew (reinstreq)
}

// installed reports whether the package is there and configured.
func (p dpkgPackage) installed() bool { return p.State == "installed" && !p.Reinstall }

// broken reports whether dpkg stopped in the middle of the package.
func (p dpkgPackage) broken() bool {
	switch p.State {
	case "installed", "config-files", "not-installed", "":
		return p.Reinstall
	}
	return true
}

// condition is the state as a person reads it.
func (p dpkgPackage) condition() string {
	switch {
	case p.State == "" || p.State == "not-installed" || p.State == "config-files":
		return "absent"
	case p.Reinstall:
		return p.State + ", to be reinstalled"
	}
	return p.State
}

// dpkgState is what dpkg's files say of a host.
type dpkgState struct {
	Arch        string // dpkg's own architecture: amd64, arm64 ...
	Interrupted bool   // dpkg was cut off and left its journal
	Broken      []dpkgPackage
	packages    map[string]dpkgPackage
}

// Package returns a package of the host's architecture by name. One that dpkg
// never heard of is the zero value with the name.
func (d *dpkgState) Package(name string) dpkgPackage {
	if p, ok := d.packages[name]; ok {
		return p
	}
	return dpkgPackage{Name: name}
}

// Find returns the names of the installed packages that match, sorted.
func (d *dpkgState) Find(match func(name string) bool) []string {
	var found []string
	for name, p := range d.packages {
		if p.installed() && match(name) {
			found = append(found, name)
		}
	}
	slices.Sort(found)
	return found
}

// A dpkgCache holds the parsed status file for as long as the file is the same,
// so that the kinds of one pass parse it once.
type dpkgCache struct {
	mu    sync.Mutex
	file  host.Info
	state *dpkgState
}

// read returns what dpkg's files say now.
func (c *dpkgCache) read(r host.Reader) (*dpkgState, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	info, err := r.Lstat(dpkgStatusFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("cannot see the installed packages: no %s; benchctl is for Debian, Ubuntu and what is made from them", dpkgStatusFile)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot see the installed packages: %w", err)
	}
	if c.state == nil || info != c.file {
		text, err := r.ReadFile(dpkgStatusFile)
		if err != nil {
			return nil, fmt.Errorf("cannot see the installed packages: %w", err)
		}
		c.file, c.state = info, parseDpkgStatus(text)
	}
	state := *c.state
	state.Interrupted, err = dpkgInterrupted(r)
	return &state, err
}

// dpkgInterrupted looks for dpkg's journal, whose files have digits for names.
// What it holds is not yet in the status file.
func dpkgInterrupted(r host.Reader) (bool, error) {
	names, err := r.ReadDir(dpkgUpdates)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, fmt.Errorf("cannot see whether dpkg was interrupted: %w", err)
	}
	return slices.ContainsFunc(names, func(name string) bool {
		return strings.Trim(name, "0123456789") == ""
	}), nil
}

// parseDpkgStatus reads the status file. Its stanzas are many and long, and
// four fields near the top of each are wanted: the rest is jumped over.
func parseDpkgStatus(text []byte) *dpkgState {
	d := &dpkgState{packages: make(map[string]dpkgPackage, bytes.Count(text, []byte("\nStatus:"))+1)}
	var all []dpkgPackage
	for len(text) > 0 {
		stanza, rest, _ := bytes.Cut(text, []byte("\n\n"))
		text = rest
		if p := parseStanza(stanza); p.Name != "" {
			all = append(all, p)
		}
	}
	for _, p := range all {
		if p.Name == "dpkg" {
			d.Arch = p.Arch
		}
	}
	for _, p := range all {
		d.add(p)
	}
	return d
}

// add keeps a package under its name, or under NAME:ARCH when it is of a
// foreign architecture.
func (d *dpkgState) add(p dpkgPackage) {
	if p.broken() {
		d.Broken = append(d.Broken, p)
	}
	key := p.Name
	if p.Arch != "all" && d.Arch != "" && p.Arch != d.Arch {
		key += ":" + p.Arch
	}
	d.packages[key] = p
}

func parseStanza(stanza []byte) (p dpkgPackage) {
	for found := 0; found < 4 && len(stanza) > 0; {
		line, rest, _ := bytes.Cut(stanza, []byte("\n"))
		stanza = rest
		key, value, _ := bytes.Cut(line, []byte(": "))
		switch string(key) {
		case "Package":
			p.Name = string(value)
		case "Status":
			p.setStatus(string(value))
		case "Architecture":
			p.Arch = string(value)
		case "Version":
			p.Version = string(value)
		default:
			continue
		}
		found++
	}
	return p
}

// setStatus takes "WANT FLAG STATE", as in "install ok installed".
func (p *dpkgPackage) setStatus(value string) {
	fields := strings.Fields(value)
	if len(fields) == 3 {
		p.Reinstall, p.State = fields[1] == "reinstreq", fields[2]
	}
}
