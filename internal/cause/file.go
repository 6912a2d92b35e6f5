package cause

import (
	"path"
	"strings"
	"time"

	"github.com/SKaiNET-developers/benchctl/reconcile"
)

// accountFiles hold the fields of the kind user.
var accountFiles = map[string]string{
	"account": "/etc/passwd", "shell": "/etc/passwd", "home": "/etc/passwd",
	"password": "/etc/shadow", "groups": "/etc/group",
}

// file looks at when the file was last changed that a change is about.
func (f *Finder) file(kind string, c reconcile.Change, since time.Time) string {
	name := f.fileOf(kind, c)
	if name == "" {
		return ""
	}
	info, err := f.Reader.Lstat(name)
	if err != nil || !f.within(info.Ctime, since) {
		return ""
	}
	return printable(name) + " changed " + f.at(info.Ctime)
}

// fileOf is the file that a change is about, "" when it is about none.
func (f *Finder) fileOf(kind string, c reconcile.Change) string {
	first, _, _ := strings.Cut(c.Field, " ")
	switch {
	case strings.HasPrefix(first, "/"):
		return path.Clean(first)
	case c.Field == "drop-in":
		return path.Clean(c.Have)
	case kind == "user":
		return accountFiles[c.Field]
	case kind == "service" && strings.HasPrefix(c.Field, "["):
		return path.Join("/etc/systemd/system", f.Unit)
	case kind == "env" || kind == "tarball":
		return path.Join(f.InstallDir, path.Clean("/"+first))
	}
	return ""
}
