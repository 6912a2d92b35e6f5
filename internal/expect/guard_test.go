package expect

import (
	"fmt"
	"sync"
	"testing"

	"github.com/SKaiNET-developers/benchctl/internal/host/hosttest"
	"github.com/SKaiNET-developers/benchctl/internal/originals"
)

// Ready takes no lock, and so may set a knob while an apply sets another: both
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
