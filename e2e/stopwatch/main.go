// Command stopwatch runs a program again and again and prints what each run
// took, as one JSON list of [Run]. It measures where it runs: put into a lab
// host it sees the program alone, without the way into that host.
//
//	stopwatch RUNS PROGRAM [ARGUMENT...]
//
// The program is started directly, with no input. What it prints is dropped,
// and shown when a run fails: then there is no list.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"
)

// A Run is what one run took. CPU and memory are the kernel's accounts of the
// program and of all children it waited for (getrusage(2)); of several
// processes the memory is the largest one's.
type Run struct {
	Wall, CPU time.Duration // nanoseconds
	RSS       int64         // bytes
}

func main() {
	runs, err := measure(os.Args[1:])
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(runs)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "stopwatch:", err)
		os.Exit(1)
	}
}

func measure(args []string) ([]Run, error) {
	if len(args) < 2 {
		return nil, errors.New("cannot measure nothing: say how often, and what")
	}
	n, err := strconv.Atoi(args[0])
	if err != nil {
		return nil, err
	}
	said, err := os.CreateTemp("", "stopwatch-")
	if err != nil {
		return nil, err
	}
	defer os.Remove(said.Name())
	runs := make([]Run, n)
	for i := range runs {
		if runs[i], err = once(args[1:], said); err != nil {
			return nil, fmt.Errorf("%q: %w\n%s", args[1:], err, contents(said))
		}
	}
	return runs, nil
}

// once runs the program with its output in a file: a pipe would be work for us.
func once(argv []string, said *os.File) (Run, error) {
	said.Truncate(0)
	said.Seek(0, io.SeekStart)
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stdout, cmd.Stderr = said, said
	begun := time.Now()
	err := cmd.Run()
	took := time.Since(begun)
	if err != nil {
		return Run{}, err
	}
	usage := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	return Run{
		Wall: took,
		CPU:  cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(),
		RSS:  usage.Maxrss << 10,
	}, nil
}

func contents(f *os.File) []byte {
	text, _ := os.ReadFile(f.Name())
	return bytes.TrimSpace(text)
}
