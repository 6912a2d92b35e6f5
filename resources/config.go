package resources

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/github/actions"
	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/reconcile"
	"github.com/SKaiNET-developers/benchctl/spec"
)

// GitHub is what registering asks of GitHub, within the spec's scope. Errors
// are sentences; those that wrap [actions.ErrNotFound] are 404s.
type GitHub interface {
	// Runners lists the runners of a name; others may be among them.
	Runners(ctx context.Context, name string) ([]actions.Runner, error)
	Runner(ctx context.Context, id int64) (actions.Runner, error)
	DeleteRunner(ctx context.Context, id int64) error
	// SetLabels makes names a runner's custom labels, and its only ones.
	SetLabels(ctx context.Context, id int64, names []string) error
	// Groups lists the groups of runners; an answer younger than age will do.
	Groups(ctx context.Context, age time.Duration) ([]actions.Group, error)
	MoveRunner(ctx context.Context, id, group int64) error
	RegistrationToken(ctx context.Context) (actions.Secret, error)
	// JIT registers a runner for one job.
	JIT(ctx context.Context, asked actions.JITRequest) (actions.JIT, error)
}

// Config is the runner's registration. It is seen three ways: what the spec
// wants, what `.runner` says (the jobs' to write, so never believed on its
// own), and what GitHub says. Labels live at GitHub alone. Whether the runner
// is online does not matter: a host that is off is not broken.
type Config struct {
	URL         spec.URL
	Name        string // with {hostname} resolved
	Group       string // "" leaves it alone
	Labels      []string
	AllowLabels []string // custom labels that others may set
	WorkDir     string   // as config.sh takes it
	Ephemeral   bool
	AutoUpdate  bool

	User       string   // whom config.sh runs as
	InstallDir string   // where config.sh is
	Env        []string // config.sh's PATH and proxies

	GitHub   GitHub         // nil without API credentials, and with Offline
	Token    actions.Secret // a pasted registration token; "" has one minted
	Offline  bool           // never talk to GitHub
	TakeOver bool           // replace a runner of that name whoever made it
	// Former is the place that the runner moves from; nil when it does not move.
	Former *Former
	// Applying makes Diff fail where Apply would refuse to register, so that
	// a running service is not stopped for nothing.
	Applying   bool
	Unattended bool // register anew only what is gone (law 12)
	Sparing    bool // ask GitHub no more than a pass has to

	spec *spec.Spec // for the work directory; nil: it is not looked at
	// forgets is how long GitHub has to forget a registration that is used up.
	forgets time.Duration
	next    bool  // the registration for the next job was made just now
	online  *bool // see Online
}

var (
	_ reconcile.Resource  = (*Config)(nil)
	_ reconcile.Dependent = (*Config)(nil)
)

// NewConfig lowers the spec's runner section. The caller adds who may talk to
// GitHub, and what a person allowed. getenv is asked for proxies alone.
func NewConfig(r host.Reader, s *spec.Spec, getenv func(string) string) *Config {
	name := runnerName(r, s)
	c := &Config{
		URL: s.Runner.URL, Name: name, Group: s.Runner.Group,
		Labels: s.Runner.Labels, AllowLabels: s.Runner.AllowLabels,
		WorkDir: s.Runner.WorkDir, Ephemeral: s.Runner.Ephemeral, AutoUpdate: s.Runner.AutoUpdate,
		User: s.User.Name, InstallDir: s.InstallDir, Env: configEnv(s.Runner.Env, getenv),
		Former: FormerOf(r, s), spec: s, forgets: forgetting,
	}
	return c
}

// forgetting is how long GitHub may take to forget a runner that had its one job.
const forgetting = 30 * time.Second

// movedHost says so when the host is no longer called what its runner is named
// after.
func movedHost(r host.Reader, s *spec.Spec) string {
	name := runnerName(r, s)
	short, _, _ := strings.Cut(r.Hostname(), ".")
	if now := strings.ReplaceAll(s.Runner.Name, "{hostname}", short); now == s.Runner.Name || strings.EqualFold(now, name) {
		return ""
	}
	return fmt.Sprintf("this host is called %s now; its runner keeps the name %s, which it was registered with", short, name)
}

// configEnv is PATH and the proxies: of runner.env first, else of benchctl's
// own environment, since both have the same way to GitHub.
func configEnv(vars map[string]string, getenv func(string) string) []string {
	path := vars["PATH"]
	if path == "" {
		path = systemPath
	}
	env := []string{"PATH=" + path}
	for _, name := range []string{"http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"} {
		value := vars[name]
		if value == "" {
			value = getenv(name)
		}
		if value != "" {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// ID is config.
func (*Config) ID() reconcile.ID { return reconcile.ID{Kind: "config"} }

// Needs lists the kinds without which config.sh does not run.
func (*Config) Needs() []string { return []string{"user", "packages", "tarball"} }

// Diff compares the three views. What GitHub was not asked, or did not say, is
// an error that wraps [reconcile.ErrUnknown].
func (c *Config) Diff(ctx context.Context, r host.Reader) ([]reconcile.Change, error) {
	v, err := c.look(ctx, r)
	if err != nil {
		return nil, err
	}
	changes := c.changes(v)
	if anew(changes) {
		if err := c.obstacle(v, changes); c.Applying && err != nil {
			return nil, err
		}
		if c.GitHub == nil {
			return changes, nil // registering sets what could not be seen
		}
	}
	return changes, v.blind
}

// Apply registers the runner anew where that is needed, and otherwise sets at
// GitHub what can be set in place.
func (c *Config) Apply(ctx context.Context, h host.Host) error {
	if err := c.awaitEarlier(ctx, h); err != nil {
		return err
	}
	v, err := c.look(ctx, h)
	if err != nil {
		return err
	}
	changes := c.changes(v)
	if !anew(changes) {
		return c.adjust(ctx, h, v, changes)
	}
	if err := c.obstacle(v, changes); err != nil {
		return err
	}
	err = c.register(ctx, h, v, false)
	c.next = err == nil && v.used
	return err
}

// Online is whether GitHub said, when it was last asked, that the runner is
// connected to it; nil when it was not asked or did not say.
func (c *Config) Online() *bool { return c.online }

// changes lists what differs, the registration first.
func (c *Config) changes(v *view) []reconcile.Change {
	var d differences
	want := c.Name + " at " + c.URL.Text
	if v.broken != "" {
		d.anew("registration", v.broken, want)
	}
	if v.local == nil {
		return c.onlyOneJob(v, d.list)
	}
	if !sameURL(v.local.URL, c.URL.Text) {
		d.anew("url", plain(v.local.URL), c.URL.Text)
	}
	if !strings.EqualFold(v.local.Name, c.Name) {
		d.anew("name", plain(v.local.Name), c.Name)
	}
	if v.local.workDir() != c.WorkDir {
		d.anew("workDir", plain(v.local.workDir()), c.WorkDir)
	}
	d.flag("ephemeral", bool(v.local.Ephemeral), c.Ephemeral)
	d.flag("autoUpdate", !bool(v.local.DisableUpdate), c.AutoUpdate)
	c.groupChange(&d, v)
	if v.former && !anew(d.list) {
		d.list = append(d.list, reconcile.Change{Field: placeField, Have: plain(c.Former.Dir), Want: c.InstallDir, Effects: restarts})
	}
	if v.remote != nil {
		if have, want, _ := c.labels(v.remote.Labels); have != want {
			d.add("labels", have, want)
		}
		if v.record.Ours && v.record.ID == 0 && v.remote == v.namesake {
			d.add(recordField, "unfinished", fmt.Sprint("id ", v.remote.ID))
		}
	}
	return c.onlyOneJob(v, d.list)
}

// differences collects changes.
type differences struct{ list []reconcile.Change }

// add notes what can be changed in place.
func (d *differences) add(field, have, want string) {
	d.list = append(d.list, reconcile.Change{Field: field, Have: have, Want: want})
}

// anew notes what only a new registration changes.
func (d *differences) anew(field, have, want string) {
	d.list = append(d.list, reconcile.Change{Field: field, Have: have, Want: want, Effects: []reconcile.Effect{reconcile.Reregister}})
}

func (d *differences) flag(field string, have, want bool) {
	if have != want {
		d.anew(field, fmt.Sprint(have), fmt.Sprint(want))
	}
}

func anew(changes []reconcile.Change) bool {
	for _, c := range changes {
		if slices.Contains(c.Effects, reconcile.Reregister) {
			return true
		}
	}
	return false
}
