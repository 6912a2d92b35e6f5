package expect

import (
	"fmt"
	"sync"
	"testing"

	"github.com/SKaiNET-developers/benchctl/internal/host/hosttest"
	"github.com/SKaiNET-developers/benchctl/internal/originals"
)

// Ready waits for no apply, and so may set a knob while an apply sets another: both
// originals are kept.
func TestOriginalsOfKnobsSetAtOnce(t *testing.T) {
	t.Parallel()
	const many = 8
	m := hosttest.New(t, "")
	var all sync.WaitGroup
	for i := range many {
		path := fmt.Sprintf("/sys/knob%d", i)
		m.WriteFile(path, "4\n")
		all.Go(func() {
			if err := (Knob{ID: "sysctl/x", Files: path, Want: "1"}).Set(m); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	book, err := originals.Load(m)
	if err != nil || len(book) != many {
		t.Errorf("%d originals of %d knobs are kept: %v, %v", len(book), many, book, err)
	}
}

// meanwhile does something once, while somebody looks for files.
type meanwhile struct {
	*hosttest.Machine
	once sync.Once
	do   func()
}

func (m *meanwhile) Glob(pattern string) ([]string, error) {
	m.once.Do(m.do)
	return m.Machine.Glob(pattern)
}

// A revert that comes while ready waits for a driver has the last word.
func TestReadyHeedsARevertThatCameMeanwhile(t *testing.T) {
	t.Parallel()
	box := newBox(t, wanted())
	m := &meanwhile{Machine: box, do: func() {
		if err := ReleaseKnobs(box); err != nil {
			t.Error(err)
		}
	}}
	if err := Ready(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if got := box.Text(policy1); got != "powersave\n" {
		t.Errorf("policy1 is %q", got)
	}
	if e, err := Load(box, Current); err != nil || len(e.Knobs) > 0 {
		t.Errorf("the gate is told of %+v, %v", e, err)
	}
}
