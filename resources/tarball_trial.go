package resources

import (
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/reconcile"
	"github.com/SKaiNET-developers/benchctl/spec"
)

// A trial is a version of the runner that was put in the place of another: it
// has not listened yet, or it did not and the other one is back. When it has
// listened the trial is over, and forgotten.
type trial struct {
	From   string    `json:"from"`
	To     string    `json:"to"`
	SHA256 string    `json:"sha256"`          // of To's archive
	Spec   string    `json:"spec"`            // SHA-256 of the spec that asked for it
	Failed time.Time `json:"failed,omitzero"` // when it was given up
	Why    string    `json:"why,omitempty"`   // in words fit for a report
	Times  int       `json:"times,omitempty"` // how often that was, for this spec
}

// trialFile keeps the trial. Without it nothing breaks: a version that does not
// listen is then one that benchctl does not know another for.
const trialFile = "/var/lib/benchctl/upgrade.json"

// withheldFor is how long nobody tries a version again by himself that did not
// listen, unless the spec changes; and after mostTrials nobody does: each takes
// the runner away for minutes.
const (
	withheldFor = 24 * time.Hour
	mostTrials  = 3
)

// readTrial returns nil when there is none, or none that can be used.
func readTrial(r host.Reader) *trial {
	var tr trial
	data, err := r.ReadFile(trialFile)
	if err != nil || json.Unmarshal(data, &tr) != nil || !versionShape.MatchString(tr.From) || !versionShape.MatchString(tr.To) {
		return nil
	}
	return &tr
}

func (tr *trial) write(h host.Host) error {
	data, err := json.MarshalIndent(tr, "", "  ")
	if err != nil {
		return err
	}
	if err := h.Mkdir(path.Dir(trialFile), host.Perm{Mode: 0o700}); err != nil {
		return err
	}
	return h.Replace(trialFile, append(data, '\n'), host.Perm{Mode: 0o600})
}

func (tr *trial) forget(h host.Host) error {
	if tr == nil {
		return nil
	}
	return h.Remove(trialFile)
}

// open reports whether a version is on trial.
func (tr *trial) open(version string) bool {
	return tr != nil && tr.Failed.IsZero() && tr.To == version
}

// givenUp is the version that did not listen, "" when there is none.
func (tr *trial) givenUp() string {
	if tr == nil || tr.Failed.IsZero() {
		return ""
	}
	return tr.To
}

// until is when a version that did not listen may be tried again by itself.
func (tr *trial) until() time.Time { return tr.Failed.Add(withheldFor) }

// onTrial returns the trial of the version that is installed, nil when that one
// has proved itself.
func (t *Tarball) onTrial(r host.Reader) *trial {
	if t == nil {
		return nil
	}
	if tr := readTrial(r); tr.open(t.current(r)) && !t.AutoUpdate {
		return tr
	}
	return nil
}

// try puts the wanted version on trial and keeps the one that is there, so that
// it can come back. A version that never listened is not what to come back to:
// that stays the one before it.
func (t *Tarball) try(h host.Host, l *tarballLook, sha256 string) error {
	if t.AutoUpdate || l.withheld != nil || l.manifest != nil && l.manifest.version == l.want {
		return nil
	}
	from := ""
	switch {
	case l.manifest != nil && (l.trial == nil || l.trial.To != l.manifest.version):
		from = l.manifest.version
		err := t.keep(h, l.manifest)
		if errors.Is(err, errAltered) {
			return l.trial.forget(h)
		}
		if err != nil {
			return fmt.Errorf("cannot keep runner %s to come back to: %w", from, err)
		}
	case l.trial != nil:
		from = l.trial.From
	}
	if from == "" || from == l.want { // nobody knows another, or it is the one that did listen
		return l.trial.forget(h)
	}
	tr := &trial{From: from, To: l.want, SHA256: sha256, Spec: t.Spec}
	if was := l.trial; was != nil && was.To == tr.To && was.SHA256 == tr.SHA256 && was.Spec == tr.Spec {
		tr.Times = was.Times
	}
	return tr.write(h)
}

// prove ends the trial of the version that is installed: it listens. What was
// kept for its sake goes, as far as the spec has no use for it.
func (t *Tarball) prove(h host.Host) error {
	if err := h.Remove(trialFile); err != nil {
		return err
	}
	return t.dropOld(h)
}

// giveUp ends a trial: from here on, and after a kill too, the wanted version is
// the one before.
func (t *Tarball) giveUp(h host.Host, tr *trial, why string) error {
	tr.Failed, tr.Why = time.Now().UTC().Truncate(time.Second), why
	tr.Times++
	t.gaveUp = true
	return tr.write(h)
}

// Verdict says why the version that Apply installed is not there any more.
func (t *Tarball) Verdict() error { return t.verdict }

// withheld says why the wanted version is left alone for now: it did not listen.
// A person who applies tries it again.
func (t *Tarball) withheld(tr *trial, want string) error {
	if tr == nil || tr.Failed.IsZero() || tr.To != want || t.SHA256 != "" && t.SHA256 != tr.SHA256 {
		return nil
	}
	ago := time.Since(tr.Failed)
	due := tr.Times < mostTrials && (ago < 0 || ago >= withheldFor)
	if !t.gaveUp && (!t.Unattended || tr.Spec != t.Spec || due) {
		return nil
	}
	again := "and so does the agent after " + tr.until().Format(time.DateTime+" UTC")
	if tr.Times >= mostTrials {
		again = fmt.Sprintf("the agent, which gave it up %d times, only when the spec changes", tr.Times)
	}
	return fmt.Errorf("%w: %s; `benchctl apply` tries it again, %s", reconcile.ErrWithheld, tr.story(), again)
}

// story is what became of a trial.
func (tr *trial) story() string {
	return fmt.Sprintf("runner %s was tried at %s and given up: %s; runner %s is there instead", tr.To, tr.Failed.Format(time.DateTime+" UTC"), tr.Why, tr.From)
}

// trialNote says what a person who looks should know of a version that did not
// listen, and that the spec still asks for.
func trialNote(r host.Reader, s *spec.Spec) string {
	tr := readTrial(r)
	if tr == nil || tr.Failed.IsZero() || s.Runner.Version != tr.To && s.Runner.Version != latestVersion {
		return ""
	}
	return tr.story()
}
