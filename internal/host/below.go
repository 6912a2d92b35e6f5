package host

import "time"

// An Entry is a name in a directory and what lstat says of it.
type Entry struct {
	Name string // any bytes but / and NUL
	Info
}

// Changed is when a file was last written to, as far as that is no lie: anyone
// may give a file of theirs a modification time, but not one after the kernel's
// own note of the last change without being found out.
func (i Info) Changed() time.Time {
	if i.Mtime.After(i.Ctime) {
		return i.Ctime
	}
	return i.Mtime
}

// A Tree is what a directory holds in all, without file systems mounted in it.
type Tree struct {
	Bytes   int64     // on the disk, a file with several names once
	Files   int       // entries of any type
	Changed time.Time // the latest [Info.Changed] of them
	Read    time.Time // when a regular file was last read, where the file system notes that
	Partial bool      // there is more: too many entries to count, or too deep
	Mounted string    // a path in it where something is mounted, "" when there is none
}

// GonePrefix begins the name of what [Host.RemoveBelow] is deleting. Such a name
// that is there later was left by one that was killed.
const GonePrefix = ".benchctl-gone-"
