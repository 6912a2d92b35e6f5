package agent

import (
	"bytes"
	"context"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/internal/journal"
	"github.com/SKaiNET-developers/benchctl/internal/source"
	"github.com/SKaiNET-developers/benchctl/reconcile"
	"github.com/SKaiNET-developers/benchctl/spec"
)

// LastGood is the spec's text when it was last seen to be valid. It is root's,
// 0600.
const LastGood = "/var/lib/benchctl/last-good.yaml"

// LoadKept reads the spec of a host that nobody is at: one with a fault gives
// way to the last good one, and the fault comes with it. Without either it is
// an error.
func LoadKept(ctx context.Context, from *source.Reader, h host.Reader, files []string) (s *spec.Spec, fault, err error) {
	if s, fault = from.Load(ctx, files); fault == nil {
		return s, nil, nil
	}
	if s = Good(h, files); s == nil {
		return nil, nil, fault
	}
	return s, fault, nil
}

// Good is the spec of a host that was last seen to be valid, under the names of
// its files; nil when there is none.
func Good(r host.Reader, files []string) *spec.Spec {
	text, err := lastGood(r)
	if err != nil {
		return nil
	}
	s, err := spec.Load(strings.Join(files, ", "), text)
	if err != nil {
		return nil
	}
	return s
}

// lastGood reads the copy, whatever a hand put in its place.
func lastGood(r host.Reader) ([]byte, error) {
	return r.ReadBelow(path.Dir(LastGood), path.Base(LastGood))
}

// Keep makes a spec the last good one.
func Keep(h host.Host, s *spec.Spec) error {
	if have, err := lastGood(h); err == nil && bytes.Equal(have, s.Text) {
		return nil
	}
	err := h.Mkdir(path.Dir(LastGood), host.Perm{Mode: 0o700})
	if info, there := h.Lstat(LastGood); err == nil && there == nil && info.IsDir() {
		err = h.RemoveAll(LastGood)
	}
	if err == nil {
		err = h.Replace(LastGood, s.Text, host.Perm{Mode: 0o600})
	}
	if err != nil {
		return fmt.Errorf("cannot keep the last good spec: %w; a spec with problems will stop passes until there is room", err)
	}
	return nil
}

// enforce makes a valid spec the one in force.
func (a *Agent) enforce(s *spec.Spec) {
	a.good = s
	a.heedJobs()
	if err := Keep(a.Host, s); err != nil {
		a.Log.Say(journal.Warning, nil, "%v", err)
	}
	if s.Schedule == nil {
		// Its resource takes the agent away; should that fail, it is tried again.
		a.Log.Say(journal.Notice, nil, "%s no longer has a schedule; the agent goes on until an apply has removed it", s.File)
		return
	}
	a.loop.Schedule, a.loop.Delay = s.Schedule, Delay(a.Host, s.Schedule)
}

// registration is the file by which a runner is configured.
func (a *Agent) registration() string { return a.good.InstallDir + "/.runner" }

// heedJobs has the end of an ephemeral runner's job wake the loop: the Listener
// deletes `.runner` last of all, and another registration is due.
func (a *Agent) heedJobs() {
	file := ""
	if a.good.Runner.Ephemeral {
		file = a.registration()
	}
	if a.watch != nil {
		_ = a.watch.Gone(file) // a directory that is not there yet is tried again at each pass
	}
}

// begin reads the spec that the agent begins with. One with problems that comes
// from elsewhere is no reason not to begin with the last good one: whoever mends
// it there does not get to this host to start the agent again.
func (a *Agent) begin(ctx context.Context) (*spec.Spec, error) {
	if a.remote() {
		_ = a.Fetch(ctx) // without a copy there is the last good one, or an error
	}
	good, fault, err := LoadKept(ctx, a.Source, a.Host, a.Files)
	if err != nil {
		return nil, err
	}
	if fault != nil && !a.remote() {
		return nil, fault
	}
	if fault != nil {
		a.broken(fault)
	}
	a.files, _ = a.Source.All(ctx, a.Files)
	return good, nil
}

// remote reports whether some of the spec is fetched. That is done by the
// children: the agent itself goes by the copies.
func (a *Agent) remote() bool { return slices.ContainsFunc(a.Files, source.IsRemote) }

// reload looks at the spec, which costs next to nothing when its text is still
// the same. One with problems is said to have them, and changes nothing.
func (a *Agent) reload(ctx context.Context) {
	if a.watch != nil {
		_ = a.watch.renew() // what cannot be watched is read at each pass
	}
	asked := a.hup.Swap(false)
	files, err := a.Source.All(ctx, a.Files)
	if err == nil && slices.EqualFunc(files, a.files, sameText) && !asked {
		return
	}
	a.files = files
	a.Notify(daemon.SdNotifyReloading + "\n" + daemon.SdNotifyMonotonicUsec())
	defer a.Notify("READY=1")
	var s *spec.Spec
	if err == nil {
		s, err = spec.LoadAll(files...)
	}
	switch {
	case err != nil:
		a.broken(err)
		_ = Keep(a.Host, a.good) // passes go by the copy, which is nobody's to touch and all the same may be damaged
	case bytes.Equal(s.Text, a.good.Text):
		a.fault = nil
	default:
		a.fault = nil
		a.enforce(s)
		a.Log.Say(journal.Notice, nil, "%s changed and is in force", s.File)
	}
}

func sameText(a, b spec.File) bool { return bytes.Equal(a.Text, b.Text) }

// broken says what is wrong with the spec, unless it said the same before.
func (a *Agent) broken(err error) {
	if a.fault == nil || a.fault.Error() != err.Error() {
		a.Log.Say(journal.Error, nil, "the last good spec stays in force, since %s has problems:\n%v", strings.Join(a.Files, ", "), err)
	}
	a.fault = err
}

// Delay is how much later than its schedule a host makes its passes: always the
// same, and another one on each host.
func Delay(r host.Reader, s *spec.Schedule) time.Duration {
	id, _ := r.ReadFile("/etc/machine-id")
	// Copies of one image may have the same id, but hardly the same name.
	return reconcile.Splay(strings.TrimSpace(string(id))+r.Hostname(), s.Splay)
}

// Next is the first pass that a host makes by its schedule after a time.
func Next(r host.Reader, s *spec.Schedule, after time.Time) time.Time {
	delay := Delay(r, s)
	at := s.Next(after.Add(-delay))
	if at.IsZero() {
		return at
	}
	return at.Add(delay)
}
