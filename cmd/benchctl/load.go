package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/SKaiNET-developers/benchctl/internal/agent"
	"github.com/SKaiNET-developers/benchctl/internal/journal"
	"github.com/SKaiNET-developers/benchctl/spec"
)

// maxSpec is more than anybody writes; a spec beyond it is something else.
const maxSpec = 1 << 20

// load reads and checks the spec, from standard input when the file is "-".
func load(e *env, file string) (*spec.Spec, error) {
	src, err := readSpec(e, file)
	if err != nil {
		return nil, err
	}
	return spec.Load(file, src)
}

// loadKept is load where nobody is at hand: a spec with problems gives way to
// the last good one. The agent, which watches the file, has said which problems.
func loadKept(e *env, file string) (*spec.Spec, error) {
	s, fault, err := agent.LoadKept(e.machine, file)
	if fault != nil {
		journal.New(e.stderr).Say(journal.Warning, nil, "the last good spec is used, since %s has problems: see benchctl validate -f %[1]s", file)
	}
	return s, err
}

func readSpec(e *env, file string) ([]byte, error) {
	if file == "-" {
		return io.ReadAll(io.LimitReader(e.stdin, maxSpec+1))
	}
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("cannot read the spec %s: there is no such file; name yours with -f, or begin with a copy of examples/minimal.yaml", file)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the spec: %w", err)
	}
	defer f.Close()
	src, err := io.ReadAll(io.LimitReader(f, maxSpec+1))
	if err != nil {
		return nil, fmt.Errorf("cannot read the spec %s: %w", file, err)
	}
	return src, nil
}
