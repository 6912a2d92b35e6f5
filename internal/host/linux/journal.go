package linux

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
)

// Journal returns the last messages of one invocation of a unit. journalctl is
// asked because the journal's reader library needs cgo; it only reads.
func (m *Machine) Journal(ctx context.Context, unit, invocation string, max int) ([]string, error) {
	env := []string{"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8"}
	journalctl, err := find("journalctl", env)
	if err != nil {
		return nil, fmt.Errorf("cannot read the journal of %s: %w", unit, err)
	}
	cmd := exec.CommandContext(ctx, journalctl, "--no-pager", "--quiet", "--output=cat",
		"--lines="+strconv.Itoa(max), "_SYSTEMD_UNIT="+unit, "_SYSTEMD_INVOCATION_ID="+invocation)
	cmd.Env = env
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("cannot read the journal of %s: %w: %s", unit, err, strings.TrimSpace(stderr.String()))
	}
	return strings.FieldsFunc(string(out), func(r rune) bool { return r == '\n' }), nil
}
