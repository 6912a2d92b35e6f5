// Package runner is what the programs of the stand-in's runner package do when
// they run: Runner.Listener, Runner.Worker and the small Node service that
// starts the listener. One binary plays all three by the name it is called
// with; see [Main].
//
// It keeps to what the real programs can be observed to do from outside: the
// files in the runner's directory and their order, the lines on the console,
// the lines in _diag, the performance counters, the processes, their names and
// their exit codes. What it says to the server is in wire.go. It imports
// nothing heavy, because it is linked into benchctl itself.
package runner

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// The exit codes of the listener that the service script tells apart.
const (
	exitOK         = 0 // done, stopped, or removed from the server while live
	exitTerminated = 1 // configuration errors, no registration, deprecated version
	exitRetryable  = 2 // anything unexpected
	exitConflict   = 5 // another session holds this registration
)

// Names are the program names that [Main] answers to.
var Names = []string{"Runner.Listener", "Runner.Worker", "node"}

// Main runs the program called name with its arguments, which exclude the name
// itself, and returns the exit code.
func Main(name string, args []string) int {
	root, err := findRoot()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return exitTerminated
	}
	switch name {
	case "Runner.Listener":
		return listenerMain(root, args)
	case "Runner.Worker":
		return workerMain(root, args)
	case "node":
		return nodeMain(root, args)
	}
	fmt.Fprintf(os.Stderr, "cannot play %q: the names are %s\n", name, strings.Join(Names, ", "))
	return exitTerminated
}

// findRoot returns the runner's directory: the nearest one above the binary's
// real path that holds config.sh. Links such as bin -> bin.2.336.0 are followed first.
func findRoot() (string, error) {
	exe, err := os.Executable()
	if err != nil {
		return "", err
	}
	exe, err = filepath.EvalSymlinks(exe)
	if err != nil {
		return "", err
	}
	for dir := filepath.Dir(exe); dir != "/"; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "config.sh")); err == nil {
			return dir, nil
		}
	}
	return "", fmt.Errorf("cannot find the runner's directory above %s: no config.sh there", exe)
}

// version returns the package's version, which its build wrote beside the
// listener: one binary serves packages of every version.
func version(root string) string {
	data, err := os.ReadFile(filepath.Join(root, "bin", "Runner.Listener.deps.json"))
	if err != nil {
		return "0.0.0"
	}
	var deps struct {
		Libraries map[string]json.RawMessage `json:"libraries"`
	}
	if json.Unmarshal(data, &deps) != nil {
		return "0.0.0"
	}
	for library := range deps.Libraries {
		if v, ok := strings.CutPrefix(library, "Runner.Listener/"); ok {
			return v
		}
	}
	return "0.0.0"
}

// loadEnv sets the variables of the runner's .env in this process, over those
// it inherited. Lines are KEY=VALUE with no quoting and no comments.
func loadEnv(root string) {
	data, err := os.ReadFile(filepath.Join(root, ".env"))
	if err != nil {
		return
	}
	for line := range strings.SplitSeq(string(data), "\n") {
		if key, value, ok := strings.Cut(line, "="); ok && key != "" {
			os.Setenv(key, value)
		}
	}
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, fs.ErrNotExist)
}
