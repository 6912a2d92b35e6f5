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
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/spec"
)

// timeout bounds one fetch.
const timeout = 30 * time.Second

// Stdin is the name of the standard input.
const Stdin = "-"

// A Reader reads specs. It changes nothing, but remembers what it fetched until
// somebody has it kept.
type Reader struct {
	Stdin  io.Reader
	Open   func(path string) (io.ReadCloser, error) // a file; nil: as the process sees it
	Copies host.Reader                              // has the copies; nil: there are none
	Token  func(context.Context) string             // for github.com/..., or ""; nil: none
	Dial   func(ctx context.Context, network, address string) (net.Conn, error)
	Said   func(line string) // is told of a copy that had to serve
	// Resting says why GitHub is to be left alone at present, "" when it is not;
	// nil: never.
	Resting func() string

	// Kept asks no server for what there is a copy of, and Offline none at all.
	Kept, Offline bool

	fresh  []Copy
	client *http.Client // nil is the usual one
}

// IsRemote reports whether a name is fetched rather than read from this host.
func IsRemote(name string) bool {
	_, err := locate(name)
	return !errors.Is(err, errLocal)
}

// Absolute is the names as they can be given from another directory.
func Absolute(names []string) ([]string, error) {
	all := slices.Clone(names)
	for i, name := range names {
		if name == Stdin || IsRemote(name) {
			continue
		}
		abs, err := filepath.Abs(name)
		if err != nil {
			return nil, fmt.Errorf("cannot tell where the spec %s is: %w", name, err)
		}
		all[i] = abs
	}
	return all, nil
}

// Load reads several and makes one spec of them, the later ones laid over the
// earlier. An error is that one cannot be read, or is [spec.Problems].
func (r *Reader) Load(ctx context.Context, names []string) (*spec.Spec, error) {
	files, err := r.All(ctx, names)
	if err != nil {
		return nil, err
	}
	return spec.LoadAll(files...)
}

// All reads several, in order.
func (r *Reader) All(ctx context.Context, names []string) ([]spec.File, error) {
	var files []spec.File
	for i, name := range names {
		if name == Stdin && slices.Contains(names[:i], Stdin) {
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
	if name == Stdin {
		return bounded(r.Stdin, "standard input", spec.MaxSize+1)
	}
	at, err := locate(name)
	switch {
	case errors.Is(err, errLocal):
		return r.file(name)
	case err != nil:
		return nil, err
	}
	return r.fetch(ctx, at)
}

func (r *Reader) file(name string) ([]byte, error) {
	open := r.Open
	if open == nil {
		open = func(path string) (io.ReadCloser, error) { return os.Open(path) }
	}
	f, err := open(name)
	switch {
	case name == "":
		return nil, errors.New("cannot read the spec: -f names no file")
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("cannot read the spec %s: there is no such file; name yours with -f, or begin with what benchctl schema --example prints", name)
	case err != nil:
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
