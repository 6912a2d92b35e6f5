// Package source reads the text of a spec from wherever it lives: a file, the
// standard input, an https URL, or a file in a repository at GitHub. What was
// fetched is asked for again only if it changed, and its last copy serves when
// its server does not.
package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/SKaiNET-developers/benchctl/spec"
)

// timeout bounds one fetch.
const timeout = 30 * time.Second

// A Reader reads specs.
type Reader struct {
	Stdin  io.Reader
	Token  string            // for github.com/..., or ""
	Store  *Store            // nil keeps nothing
	Said   func(line string) // is told of a copy that had to serve
	client *http.Client      // nil is the usual one
}

// IsRemote reports whether a name is fetched rather than read from this host.
func IsRemote(name string) bool {
	_, err := locate(name)
	return !errors.Is(err, errLocal)
}

// Absolute is the name as it can be given from another directory.
func Absolute(name string) string {
	if name == "-" || IsRemote(name) {
		return name
	}
	if abs, err := filepath.Abs(name); err == nil {
		return abs
	}
	return name
}

// All reads several, in order.
func (r *Reader) All(ctx context.Context, names []string) ([]spec.File, error) {
	var files []spec.File
	for i, name := range names {
		if name == "-" && slices.Contains(names[:i], "-") {
			return nil, errors.New("cannot read standard input twice: give -f - once")
		}
		text, err := r.read(ctx, name)
		if err != nil {
			return nil, err
		}
		files = append(files, spec.File{Name: name, Text: text})
	}
	return files, nil
}

// read returns one text, cut one byte after the most that a spec may have.
func (r *Reader) read(ctx context.Context, name string) ([]byte, error) {
	if name == "-" {
		return bounded(r.Stdin, "standard input", spec.MaxSize+1)
	}
	at, err := locate(name)
	switch {
	case errors.Is(err, errLocal):
		return readFile(name)
	case err != nil:
		return nil, err
	}
	return r.fetch(ctx, at)
}

func readFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("cannot read the spec %s: there is no such file; name yours with -f, or begin with a copy of examples/minimal.yaml", name)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the spec: %w", err)
	}
	defer f.Close()
	return bounded(f, name, spec.MaxSize+1)
}

// bounded reads at most so many bytes.
func bounded(r io.Reader, name string, most int64) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, most))
	if err != nil {
		return nil, fmt.Errorf("cannot read the spec %s: %w", name, err)
	}
	return text, nil
}
