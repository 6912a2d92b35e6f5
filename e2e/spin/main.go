// Command spin is a benchmark of the most sensitive kind: a loop that is pinned
// to one CPU and does nothing but read the clock. It prints, as JSON, what the
// rest of the machine took from it while something else was at work.
//
//	spin CPU DURATION [PROGRAM [ARGUMENT...]]
//
// The loop turns for the duration; a tenth of it after the start, PROGRAM is
// run, wherever the kernel puts it. One that is not over by the end is an
// error: then the loop did not see all of it.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// gap is the shortest pause between two readings of the clock that counts as
// taken. Reading it takes some 50 ns; the timer's own interrupt, which comes in
// any case, a few µs.
const gap = 20 * time.Microsecond

// Taken is what the loop noticed.
type Taken struct {
	Total, Longest time.Duration // nanoseconds
	Gaps           int
}

func main() {
	taken, err := run(os.Args[1:])
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(taken)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "spin:", err)
		os.Exit(1)
	}
}

func run(args []string) (taken Taken, err error) {
	if len(args) < 2 {
		return taken, errors.New("cannot spin: say on which CPU, and how long")
	}
	cpu, err := strconv.Atoi(args[0])
	if err != nil {
		return taken, err
	}
	length, err := time.ParseDuration(args[1])
	if err != nil {
		return taken, err
	}
	ended := make(chan error, 1)
	time.AfterFunc(length/10, func() { ended <- other(args[2:]) })
	if taken, err = spin(cpu, length); err != nil {
		return taken, err
	}
	select {
	case err := <-ended:
		return taken, err
	default:
		return taken, fmt.Errorf("%q is not over after %v; spin longer", args[2:], length)
	}
}

func other(argv []string) error {
	if len(argv) == 0 {
		return nil
	}
	if out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil {
		return fmt.Errorf("%q: %w\n%s", argv, err, out)
	}
	return nil
}

// spin pins its own thread alone, so that what other starts may run anywhere.
func spin(cpu int, length time.Duration) (taken Taken, err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var set unix.CPUSet
	set.Set(cpu)
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		return taken, fmt.Errorf("cannot pin the loop to CPU %d: %w", cpu, err)
	}
	begun := time.Now()
	for last := time.Duration(0); last < length; {
		now := time.Since(begun)
		if lost := now - last; lost > gap {
			taken.Total, taken.Longest, taken.Gaps = taken.Total+lost, max(taken.Longest, lost), taken.Gaps+1
		}
		last = now
	}
	return taken, nil
}
