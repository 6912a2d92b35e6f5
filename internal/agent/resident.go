package agent

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// forgetProgram takes the program's own code and constants out of this process's
// resident memory. They stay in the page cache, and come back page by page as
// they are needed: an agent that sleeps needs very few. It is an economy, so
// that one that fails is none the worse.
func forgetProgram() {
	exe, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return
	}
	smaps, err := os.ReadFile("/proc/self/smaps") // proc_pid_smaps(5)
	if err != nil {
		return
	}
	for _, m := range unmodified(smaps, exe) {
		// Not golang.org/x/sys's Madvise, which wants a slice of memory that
		// Go knows nothing of.
		_, _, _ = unix.Syscall(unix.SYS_MADVISE, m.from, m.to-m.from, unix.MADV_DONTNEED)
	}
}

// A mapping is a range of addresses.
type mapping struct{ from, to uintptr }

// unmodified lists the mappings of a file that cannot be written to and hold
// nothing but what the file holds, no relocation for one.
func unmodified(smaps []byte, file string) []mapping {
	var found []mapping
	var m mapping
	ours := false
	lines := bufio.NewScanner(bytes.NewReader(smaps))
	for lines.Scan() {
		line := lines.Text()
		var from, to uintptr
		var rights string
		if n, _ := fmt.Sscanf(line, "%x-%x %s", &from, &to, &rights); n == 3 {
			m, ours = mapping{from, to}, strings.HasSuffix(line, " "+file) && !strings.Contains(rights, "w")
		}
		if key, value, _ := strings.Cut(line, ":"); ours && key == "Anonymous" && strings.TrimSpace(value) == "0 kB" {
			found = append(found, m)
		}
	}
	return found
}
