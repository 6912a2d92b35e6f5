// Package spec turns the text of a runner.yaml into a [Spec] or into all the
// [Problems] it has, each with its place in the file and a next step. It knows
// no machine.
package spec

import (
	"slices"
	"time"
)

// A Spec is a runner.yaml with every default filled in that does not depend
// on the host. The zero value is not a valid Spec; [Load] makes one.
type Spec struct {
	File   string // as given on the command line
	SHA256 string // of the text, in hex
	Text   []byte // as it was read

	Warnings Problems // what is unwise about the file; it can be used all the same

	Version    int
	User       User
	InstallDir string
	Runner     Runner
	Service    Service
	Gate       Gate
	Governor   *Governor // nil: the governor is left alone
	JDK        *JDK      // nil: no JDK is looked after
	PTS        *PTS      // nil: no Phoronix Test Suite
	Schedule   *Schedule // nil: no agent
	Notify     *Notify   // nil: nobody is told
	Cleanup    *Cleanup  // nil: nothing is cleaned up
	Metrics    string    // file for node_exporter's textfile collector, absolute
	GitHub     GitHub
}

// User is the account that jobs run as.
type User struct {
	Name, Home, Shell string
	Groups            []string // supplementary groups, exactly these
	Existing          bool     // use the account as it is
}

// Runner is the GitHub Actions runner and its registration.
type Runner struct {
	URL         URL
	Version     string // "2.336.0" or "latest"
	SHA256      string // of the archive, in hex; "" when the spec gives none
	Archive     string // URL or absolute path; "" means GitHub's release asset
	Name        string // may hold {hostname}
	Labels      []string
	AllowLabels []string // custom labels that others may set
	Group       string   // "" leaves it alone
	WorkDir     string   // relative to InstallDir, or absolute
	Ephemeral   bool
	AutoUpdate  bool
	Env         map[string]string
	Keep        int // old versions kept beside the current one
}

// Scope says what a runner is registered at.
type Scope string

// The scopes that GitHub has.
const (
	Repository   Scope = "repository"
	Organization Scope = "organization"
	Enterprise   Scope = "enterprise"
)

// URL is the place at GitHub that a runner belongs to.
type URL struct {
	Text  string // as written, without a trailing slash
	Scope Scope
	Host  string // with its port, lower case
	Owner string // owner, organisation or enterprise slug
	Repo  string // repository; "" for the other scopes
	API   string // base of the REST API, with a trailing slash
}

// Needs that a job may have beyond the sandbox's default.
const (
	NeedPerf       = "perf"
	NeedPtrace     = "ptrace"
	NeedSetarch    = "setarch"
	NeedRealtime   = "realtime"
	NeedContainers = "containers"
	NeedTaskset    = "taskset" // always there; accepted so that nobody wonders
)

// Service is the systemd unit that the runner lives in.
type Service struct {
	Needs      []string
	CPUs       string            // a CPU list such as 2-5,8; "" is no restriction
	Directives map[string]string // merged last into [Service]
}

// Has tells whether jobs need something beyond the sandbox's default.
func (s Service) Has(need string) bool { return slices.Contains(s.Needs, need) }

// Gate is the check around each job.
type Gate struct {
	Policy string // fail, warn or off
	// MaxLoad is how many CPUs may be busy with something else just before a job.
	// Half of one is the default: the load average (proc(5), /proc/loadavg) counts
	// the threads that run or wait to, so one that never rests makes 1.0 on a host
	// of any size; and since it takes turbo and cache from the other CPUs too, the
	// limit is no share of them. An idle host with its daemons stays well below.
	MaxLoad float64
}

// Governor is the cpufreq governor wanted on every policy.
type Governor struct {
	Name          string
	IfUnsupported string // fail or skip
}

// JDK is the Java that jobs find first on their PATH.
type JDK struct {
	Version    string // major version
	Vendor     string // distribution, temurin, or "" with Repository or Archive
	Repository *AptRepository
	Archive    string // URL or absolute path of a tar.gz
	SHA256     string
}

// AptRepository is a signed apt repository.
type AptRepository struct {
	URL, Suite  string // Suite "" means the host's code name
	Key         string // URL or absolute path of the armoured or binary key
	Fingerprint string // 40 hex digits, upper case
	Package     string // "" means the vendor's name for that major version
}

// PTS is the Phoronix Test Suite.
type PTS struct {
	Version, Archive, SHA256 string
}

// Schedule is when the agent makes a pass.
type Schedule struct {
	Cron     string
	Splay    time.Duration // at most this much is waited before a pass; less than the time between two
	MaxDefer time.Duration // after so long a pass no longer waits for the queue to be empty
}

// Notify says who is told when a host needs somebody.
type Notify struct {
	Command     string // absolute path of a program; "" is none
	Webhook     string // URL that is posted to; "" is none
	WebhookFile string // file that holds the URL, where the URL is a secret
	Issue       bool   // keep one issue open at GitHub per host
}

// Cleanup says what of the runner's leavings is removed, and when. An age of 0
// keeps them for ever.
type Cleanup struct {
	Work, Diag, Tools time.Duration // since their last use
	KeepTools         bool          // Tools was given, be it to keep them
	MinFree           int64         // bytes that shall be free; 0 is no such wish
	Processes         string        // keep or end: what of the runner's user outlives its job
}

// GitHub says where credentials are; it never holds one.
type GitHub struct {
	TokenFile string
	App       *App
}

// App is a GitHub App installed where the runner belongs.
type App struct {
	ID, Installation int64
	KeyFile          string
}

// WorkDir is the absolute path of the directory that jobs work in.
func (s *Spec) WorkDir() string {
	if s.Runner.WorkDir != "" && s.Runner.WorkDir[0] == '/' {
		return s.Runner.WorkDir
	}
	return s.InstallDir + "/" + s.Runner.WorkDir
}
