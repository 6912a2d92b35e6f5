package history

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"

	"github.com/SKaiNET-developers/benchctl/internal/host"
)

// SettledSpec is the text of the spec that a mark speaks of, nil when it is not
// kept or is no longer what it was.
func SettledSpec(r host.Reader, digest string) []byte {
	text, kept := settled(r)[digest]
	sum := sha256.Sum256([]byte(text))
	if !kept || hex.EncodeToString(sum[:]) != digest {
		return nil
	}
	return []byte(text)
}

// settled reads the kept specs; what cannot be read is not kept.
func settled(r host.Reader) map[string]string {
	kept := map[string]string{}
	var texts map[string]string // which "null" makes no map
	if data, err := read(r, Settled); err == nil {
		_ = json.Unmarshal(data, &texts)
	}
	maps.Copy(kept, texts)
	return kept
}

// specs keeps the texts that marks speak of, those on the disk and those about
// to be written, and no other. It goes before the marks, so that none of them
// ever speaks of a text that is not there.
func (w *writer) specs(spokenOf map[string]bool, run Run) {
	was := settled(w.h)
	now := maps.Clone(was)
	now[run.Report.Spec.SHA256] = string(run.Spec)
	maps.DeleteFunc(now, func(digest, _ string) bool { return !spokenOf[digest] })
	if data, _ := json.MarshalIndent(now, "", "  "); len(data) >= host.MaxHostile {
		clear(now) // nobody could read them again: what drifts across a change of the spec is not told then
	}
	if !maps.Equal(was, now) {
		w.json(Settled, now)
	}
}

// speakOf adds the digests of the specs under which resources were last in step.
func (b *Book) speakOf(digests map[string]bool) {
	for _, m := range b.Resources {
		digests[m.Spec] = true
	}
}
