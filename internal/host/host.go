// Package host says what benchctl may ask of a machine and what it may do to
// one. It holds interfaces and plain data only: host/linux is the real machine,
// host/hosttest one in a temporary directory.
//
// The split is the promise of `benchctl diff`: whoever is handed a [Reader]
// cannot change anything, because there is nothing to call.
package host

import (
	"context"
	"io"
	"io/fs"
	"time"
)

// A Reader can look at a machine and cannot change it. Paths are absolute.
type Reader interface {
	// ReadFile returns a whole file. Use it for paths that only root can
	// write; what the runner's user can write is read with ReadBelow.
	ReadFile(path string) ([]byte, error)
	// Open opens a file for reading, for what is too big to hold.
	Open(path string) (io.ReadCloser, error)
	// ReadBelow reads dir/name as hostile input: no link is followed below
	// dir, only a regular file of at most MaxHostile bytes is accepted, and
	// opening never blocks. name is a path relative to dir.
	ReadBelow(dir, name string) ([]byte, error)
	// ListBelow returns what is in the directory dir/name, sorted by name, or
	// some of it where that is more than anybody needs at once, and
	// MeasureBelow what the file or directory dir/name holds in all. Both take
	// it for hostile input, as ReadBelow does: no link is followed below dir.
	ListBelow(dir, name string) ([]Entry, error)
	MeasureBelow(ctx context.Context, dir, name string) (Tree, error)
	Lstat(path string) (Info, error)
	Readlink(path string) (string, error)
	// ReadDir returns the names in a directory, sorted.
	ReadDir(path string) ([]string, error)
	Glob(pattern string) ([]string, error)
	// Disk describes the file system that holds path, or would hold it, as
	// services of the machine see it.
	Disk(path string) (Disk, error)
	// Account looks a user up in the files and, beyond them, in NSS. The
	// error wraps fs.ErrNotExist when nobody has that name.
	Account(name string) (Account, error)
	// Unit returns what systemd has in force for a unit. An unknown unit is
	// no error: its LoadState is "not-found".
	Unit(ctx context.Context, name string) (Unit, error)
	// Journal returns the messages of one invocation of a unit, oldest
	// first, at most the last max of them.
	Journal(ctx context.Context, unit, invocation string, max int) ([]string, error)
	// LastWords returns what an invocation that has just ended said, all of
	// it, oldest first, at most the last max lines. systemd may tell of an end
	// before journald has read what came before it.
	LastWords(ctx context.Context, unit, invocation string, max int) ([]string, error)
	// Messages returns what a unit said between two times, in whichever
	// invocation, oldest first, at most the last max messages.
	Messages(ctx context.Context, unit string, from, to time.Time, max int) ([]Message, error)
	// Processes returns the processes of the machine, but not the kernel's own
	// threads, sorted by PID.
	Processes() ([]Process, error)
	Hostname() string
}

// A Host is a Reader that may also be changed.
type Host interface {
	Reader

	// Replace swaps a file's contents whole: a temporary file beside it,
	// fsync, rename, fsync of the directory.
	Replace(path string, data []byte, perm Perm) error
	// Record swaps a file's contents whole, like Replace, and does not wait
	// for the disk: it is for benchctl's own notes, which a power cut may
	// take back and which disturb nobody meanwhile.
	Record(path string, data []byte, perm Perm) error
	// AppendLine adds a line to a file, and makes the file if need be. It
	// does not wait for the disk either. A line that was cut off before it
	// stays alone.
	AppendLine(path string, line []byte, perm Perm) error
	// Exclusive waits, for a bounded time, until no other process is between
	// Exclusive and release under the same name. It is for moments in which
	// `ready`, which waits for no apply, must not be at work too.
	Exclusive(name string) (release func(), err error)
	// Poke writes to a kernel file in one write(2). It never creates the
	// file: a missing knob must stay missing.
	Poke(path, value string) error
	// Mkdir makes a directory, and its parents as root's 0755, and gives
	// one that exists the wanted owner and mode.
	Mkdir(path string, perm Perm) error
	// SetPerm gives an existing file or directory its owner and mode,
	// never through a link.
	SetPerm(path string, perm Perm) error
	// Symlink makes path a link to target, replacing a link atomically.
	Symlink(target, path string) error
	Rename(old, new string) error
	// Remove deletes a file or an empty directory; RemoveAll a tree. What
	// is not there is no error.
	Remove(path string) error
	RemoveAll(path string) error
	// RemoveBelow deletes the file or tree dir/name as hostile input: no link is
	// followed below dir, and no other file system is entered. A directory goes
	// whole, by a rename to a name with GonePrefix, and is deleted then.
	RemoveBelow(ctx context.Context, dir, name string) error
	// End ends processes: with SIGTERM, and after grace with SIGKILL. Another
	// process that got a PID meanwhile is left alone.
	End(ctx context.Context, grace time.Duration, processes ...Process) error
	// Fetch returns the whole of a small file from an http or https URL or
	// an absolute path; one of more than most bytes is an error. Without a
	// digest that the caller knows (pinned), only what nobody else can
	// alter is taken.
	Fetch(ctx context.Context, source string, most int64, pinned bool) ([]byte, error)
	// Unpack installs a tar.gz into a new directory, on the disk when it
	// returns. On any error, *DigestError included, that directory is not there.
	Unpack(ctx context.Context, a Archive) (Unpacked, error)
	// Run runs a command as a direct child with exactly the given
	// environment. A status other than 0 is a *CommandError.
	Run(ctx context.Context, cmd Command) (Output, error)
	// RunUnit runs a command as a transient systemd unit of its own, so
	// that it outlives benchctl, and waits for it. Its environment can be
	// read by anyone on the bus: never put a secret there.
	RunUnit(ctx context.Context, unit string, cmd Command) (Output, error)
	// Systemd changes the state of units.
	Systemd() Systemd
}

// Systemd changes the state of units, and waits until systemd is done.
type Systemd interface {
	Start(ctx context.Context, unit string) error
	Stop(ctx context.Context, unit string) error
	// BeginStop queues the stop and returns without waiting for it.
	BeginStop(ctx context.Context, unit string) (wait func(context.Context) error, err error)
	Enable(ctx context.Context, unit string) error
	Disable(ctx context.Context, unit string) error
	Unmask(ctx context.Context, unit string) error
	// Reload makes systemd read its unit files anew.
	Reload(ctx context.Context) error
	// ReloadUnit has a service read its own settings anew. It returns without
	// waiting for that: the service may have to finish something first.
	ReloadUnit(ctx context.Context, unit string) error
	ResetFailed(ctx context.Context, unit string) error
}

// MaxHostile is the most that is read of a file the runner's user can write.
const MaxHostile = 1 << 20

// Perm is a file's mode and owner. UID and GID 0 are root.
type Perm struct {
	Mode     fs.FileMode // permission bits, with fs.ModeSticky and friends
	UID, GID int
}

// Info is what lstat says of a file.
type Info struct {
	Perm
	Type  fs.FileMode // type bits only; 0 for a regular file
	Size  int64
	Inode uint64
	Mtime time.Time
	Ctime time.Time
}

// IsDir reports whether the file is a directory.
func (i Info) IsDir() bool { return i.Type == fs.ModeDir }

// IsRegular reports whether the file is a regular file.
func (i Info) IsRegular() bool { return i.Type == 0 }

// IsLink reports whether the file is a symbolic link.
func (i Info) IsLink() bool { return i.Type == fs.ModeSymlink }

// Disk is a mounted file system.
type Disk struct {
	Mount      string // where it is mounted
	Free       uint64 // bytes available to root's daemons (f_bavail)
	FreeInodes uint64
	Inodes     uint64 // 0 where the file system does not count them
	NoExec     bool
	ReadOnly   bool
}

// Account is a user as passwd(5), shadow(5) and group(5) describe one.
type Account struct {
	Name, Home, Shell string
	UID, GID          int
	Groups            []string // supplementary groups by name, sorted
	Password          Password
	Local             bool // it stands in /etc/passwd, not only in NSS
}

// Password says whether a password opens an account (shadow(5)).
type Password int

// What is known of a password.
const (
	PasswordUnseen Password = iota // the file cannot be read
	PasswordLocked                 // none opens it
	PasswordOpen
)

// Unit is what systemd has in force for a unit (org.freedesktop.systemd1).
type Unit struct {
	Name          string
	LoadState     string // loaded, not-found, masked, bad-setting, error
	ActiveState   string // active, reloading, inactive, failed, activating, deactivating
	SubState      string
	UnitFileState string // enabled, disabled, masked, static, "" ...
	FragmentPath  string
	DropInPaths   []string
	NeedReload    bool // the files changed since systemd read them
	MainPID       int
	InvocationID  string // 32 hex digits, "" when it never ran
	ControlGroup  string
	Result        string
	ActiveSince   time.Time
	StatusText    string // what a service of Type=notify last said of itself
}

// A Message is what a unit said, in the journal.
type Message struct {
	At         time.Time // when it got there, UTC
	Invocation string    // the unit's at that time, 32 hex digits
	Text       string
}

// Command is a program to run. Nothing is inherited: not the environment, not
// the standard input.
type Command struct {
	Argv  []string
	Env   []string // NAME=value, the whole environment
	Dir   string
	User  *Account // nil is root
	Stdin []byte
	// Progress, if set, receives each line of output as it comes.
	Progress func(line string)
}

// Output is what a command said.
type Output struct {
	Stdout, Stderr []byte
}
