package expect

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"syscall"

	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/reconcile"
)

// Compare says where the host differs from the expectation; nil is a host in
// step. A change's Field is the file's path.
func (e *Expected) Compare(r host.Reader) ([]reconcile.Change, error) {
	var changes []reconcile.Change
	var errs []error
	for _, k := range e.Knobs {
		found, err := k.compare(r)
		changes, errs = append(changes, found...), append(errs, err)
	}
	if e.JavaHome != "" {
		if info, err := r.Lstat(e.JavaHome + "/bin/java"); err != nil || !info.IsRegular() {
			changes = append(changes, reconcile.Change{Field: e.JavaHome + "/bin/java", Have: "absent", Want: "the spec's JDK"})
		}
	}
	return changes, errors.Join(errs...)
}

func (k Knob) compare(r host.Reader) ([]reconcile.Change, error) {
	settings, err := k.read(r)
	if err != nil {
		return nil, err
	}
	if len(settings) == 0 && !k.Optional {
		return []reconcile.Change{{Field: k.Files, Have: "absent", Want: k.Want}}, nil
	}
	var changes []reconcile.Change
	for _, s := range settings {
		if !k.suffices(s.value) {
			changes = append(changes, reconcile.Change{Field: s.path, Have: s.value, Want: k.Want})
		}
	}
	return changes, nil
}

// A setting is one file of a knob.
type setting struct{ path, value string }

// read reads every file of the knob. A policy whose CPUs are all unplugged
// answers EBUSY, or is gone in mid-look: it has no value to be wrong.
func (k Knob) read(r host.Reader) ([]setting, error) {
	paths, err := r.Glob(k.Files)
	if err != nil {
		return nil, fmt.Errorf("cannot look for %s: %w", k.Files, err)
	}
	var settings []setting
	for _, path := range paths {
		text, err := r.ReadFile(path)
		if errors.Is(err, syscall.EBUSY) || errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("cannot read the knob %s: %w", k.ID, err)
		}
		settings = append(settings, setting{path, chosen(string(text))})
	}
	return settings, nil
}

// chosen is a kernel file's value; of "always [madvise] never" the word in brackets.
func chosen(text string) string {
	if _, rest, ok := strings.Cut(text, "["); ok {
		if word, _, ok := strings.Cut(rest, "]"); ok {
			return word
		}
	}
	return strings.TrimSpace(text)
}

func (k Knob) suffices(have string) bool {
	if have == k.Want {
		return true
	}
	h, err1 := strconv.Atoi(have)
	w, err2 := strconv.Atoi(k.Want)
	return k.AtMost && err1 == nil && err2 == nil && h < w
}
