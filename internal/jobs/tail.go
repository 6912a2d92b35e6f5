package jobs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"github.com/SKaiNET-developers/benchctl/internal/host"
)

// tailSize is the most that is read of a log.
const tailSize = 64 << 10

// tail returns the end of a log that the runner's user can write: of a plain
// file only, opened without blocking and, unless follow is set, not through a
// link. A line that the cut went through is left out.
func tail(name string, follow bool) ([]byte, error) {
	flags := unix.O_RDONLY | unix.O_NONBLOCK | unix.O_NOCTTY | unix.O_CLOEXEC
	if !follow {
		flags |= unix.O_NOFOLLOW
	}
	f, err := os.OpenFile(name, flags, 0)
	if errors.Is(err, unix.ELOOP) {
		return nil, fmt.Errorf("cannot read %s: %w", name, host.ErrHostile)
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("cannot read %s: %w", name, host.ErrHostile)
	}
	from := max(0, info.Size()-tailSize)
	text, err := io.ReadAll(io.NewSectionReader(f, from, tailSize))
	if err != nil {
		return nil, err
	}
	if from > 0 {
		_, text, _ = bytes.Cut(text, []byte("\n"))
	}
	return text, nil
}
