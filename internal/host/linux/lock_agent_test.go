package linux

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
)

func TestOneAgent(t *testing.T) {
	t.Parallel()
	m := &Machine{Root: t.TempDir()}
	release, err := m.LockAgent()
	if err != nil {
		t.Fatal(err)
	}
	_, err = m.LockAgent()
	if !errors.Is(err, ErrAgentRuns) || !strings.Contains(err.Error(), fmt.Sprintf("process %d, since 2", os.Getpid())) {
		t.Errorf("the second is told %v", err)
	}
	// An apply is not in its way, nor it in that of an apply.
	done, err := m.Lock(t.Context(), "apply")
	if err != nil {
		t.Error(err)
	}
	done()
	release()
	if release, err = m.LockAgent(); err != nil {
		t.Fatal(err)
	}
	release()
}
