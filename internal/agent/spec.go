package agent

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/internal/journal"
	"github.com/SKaiNET-developers/benchctl/reconcile"
	"github.com/SKaiNET-developers/benchctl/spec"
)

// LastGood is the spec's text when it was last seen to be valid. It is root's,
// 0600.
const LastGood = "/var/lib/benchctl/last-good.yaml"

// Load reads the spec of a host. An error is that it cannot be read, or is
// [spec.Problems].
func Load(r host.Reader, file string) (*spec.Spec, error) {
	text, err := read(r, file)
	if err != nil {
		return nil, err
	}
	return spec.Load(file, text)
}

func read(r host.Reader, file string) ([]byte, error) {
	f, err := r.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("cannot read the spec %s: there is no such file; name yours with -f, or begin with a copy of examples/minimal.yaml", file)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the spec: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, spec.MaxSize+1))
	if err != nil {
		return nil, fmt.Errorf("cannot read the spec %s: %w", file, err)
	}
	return text, nil
}

// LoadKept reads the spec of a host that nobody is at: one with a fault gives
// way to the last good one, and the fault comes with it. Without either it is
// an error.
func LoadKept(r host.Reader, file string) (s *spec.Spec, fault, err error) {
	if s, fault = Load(r, file); fault == nil {
		return s, nil, nil
	}
	text, err := r.ReadFile(LastGood)
	if err != nil {
		return nil, nil, fault
	}
	if s, err = spec.Load(file, text); err != nil {
		return nil, nil, fault
	}
	return s, fault, nil
}

// Keep makes a spec the last good one.
func Keep(h host.Host, s *spec.Spec) error {
	if have, err := h.ReadFile(LastGood); err == nil && bytes.Equal(have, s.Text) {
		return nil
	}
	err := h.Mkdir(path.Dir(LastGood), host.Perm{Mode: 0o700})
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
	a.good, a.text = s, s.Text
	if err := Keep(a.Host, s); err != nil {
		a.Log.Say(journal.Warning, nil, "%v", err)
	}
	if s.Schedule == nil {
		// Its resource takes the agent away; should that fail, it is tried again.
		a.Log.Say(journal.Notice, nil, "%s no longer has a schedule; the agent goes on until an apply has removed it", a.File)
		return
	}
	a.loop.Schedule, a.loop.Delay = s.Schedule, Delay(a.Host, s.Schedule)
}

// reload looks at the spec, which costs next to nothing when its text is still
// the same. One with problems is said to have them, and changes nothing.
func (a *Agent) reload() {
	if a.watch != nil {
		_ = a.watch.renew() // what cannot be watched is read at each pass
	}
	asked := a.hup.Swap(false)
	text, err := read(a.Host, a.File)
	if err == nil && bytes.Equal(text, a.text) && !asked {
		return
	}
	a.text = text
	a.Notify(daemon.SdNotifyReloading + "\n" + daemon.SdNotifyMonotonicUsec())
	defer a.Notify("READY=1")
	if err == nil && bytes.Equal(text, a.good.Text) {
		a.fault = nil
		return
	}
	s := a.good
	if err == nil {
		s, err = spec.Load(a.File, text)
	}
	if err != nil {
		a.broken(err)
		return
	}
	a.fault = nil
	a.enforce(s)
	a.Log.Say(journal.Notice, nil, "%s changed and is in force", a.File)
}

// broken says what is wrong with the spec, unless it said the same before.
func (a *Agent) broken(err error) {
	if a.fault == nil || a.fault.Error() != err.Error() {
		a.Log.Say(journal.Error, nil, "the last good spec stays in force, since %s has problems:\n%v", a.File, err)
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
