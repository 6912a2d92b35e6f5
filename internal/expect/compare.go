package expect

import (
	"errors"

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
	settings, err := k.Settings(r)
	if err != nil {
		return nil, err
	}
	if len(settings) == 0 && !k.Optional {
		return []reconcile.Change{{Field: k.Files, Have: "absent", Want: k.Want}}, nil
	}
	var changes []reconcile.Change
	for _, s := range settings {
		if !k.Suffices(s.Value) {
			changes = append(changes, reconcile.Change{Field: s.Path, Have: s.Value, Want: k.Want})
		}
	}
	return changes, nil
}
