package resources

import (
	"bytes"
	"context"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/reconcile"
)

const (
	installedBinary = "/usr/local/bin/benchctl"
	packagedBinary  = "/usr/bin/benchctl"
)

// program is benchctl itself, where the runner's unit and the hooks call it. It
// is copied from the running one, whose package it may come from: then it stays
// where it is. An older one never replaces a newer.
type program struct {
	self string // the running benchctl's own file, links resolved
}

// path is where the unit and the hooks find benchctl.
func (p program) path() string {
	if p.self == packagedBinary {
		return packagedBinary
	}
	return installedBinary
}

func (p program) ID() reconcile.ID { return reconcile.ID{Kind: "hooks", Name: "benchctl"} }

// Diff compares the installed file with the running one, by size and then
// byte by byte, unless they are the same file.
func (p program) Diff(_ context.Context, r host.Reader) ([]reconcile.Change, error) {
	if p.self == p.path() {
		return nil, nil
	}
	have, err := r.Lstat(p.path())
	if errors.Is(err, fs.ErrNotExist) {
		return []reconcile.Change{{Field: p.path(), Have: "absent", Want: "a copy of " + p.self}}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot look at the installed benchctl: %w", err)
	}
	if have.UID != 0 || have.Mode.Perm() != 0o755 {
		return []reconcile.Change{{Field: p.path(), Have: fmt.Sprintf("owner %d, mode %04o", have.UID, have.Mode.Perm()), Want: "owner 0, mode 0755"}}, nil
	}
	same, err := p.same(r)
	if err != nil || same {
		return nil, err
	}
	if newer(r, p.path(), p.self) {
		return nil, nil
	}
	return []reconcile.Change{{Field: p.path(), Have: "another build", Want: "a copy of " + p.self}}, nil
}

// Apply copies the running binary whole.
func (p program) Apply(_ context.Context, h host.Host) error {
	data, err := h.ReadFile(p.self)
	if err != nil {
		return fmt.Errorf("cannot copy benchctl to %s: %w", p.path(), err)
	}
	if there, err := exists(h, p.path()); err != nil {
		return err
	} else if !there {
		if err := bring(h, func(b *brought) { b.Binary = p.path() }); err != nil {
			return err
		}
	}
	return h.Replace(p.path(), data, host.Perm{Mode: 0o755})
}

func (p program) same(r host.Reader) (bool, error) {
	one, err := r.Lstat(p.self)
	if err != nil {
		return false, fmt.Errorf("cannot look at the running benchctl: %w", err)
	}
	other, err := r.Lstat(p.path())
	if err != nil || one.Size != other.Size {
		return false, err
	}
	return sameContents(r, p.self, p.path())
}

// sameContents compares two files of the same size, in a third of the time that
// their digests would take.
func sameContents(r host.Reader, a, b string) (bool, error) {
	x, err := r.Open(a)
	if err != nil {
		return false, err
	}
	defer x.Close()
	y, err := r.Open(b)
	if err != nil {
		return false, err
	}
	defer y.Close()
	var one, other [64 << 10]byte
	for {
		n, err := io.ReadFull(x, one[:])
		m, err2 := io.ReadFull(y, other[:])
		if err := errors.Join(trouble(err), trouble(err2)); err != nil {
			return false, fmt.Errorf("cannot compare %s with %s: %w", a, b, err)
		}
		if !bytes.Equal(one[:n], other[:m]) {
			return false, nil
		}
		if err != nil {
			return true, nil
		}
	}
}

// trouble is an error of io.ReadFull that is not the end of the file.
func trouble(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return nil
	}
	return err
}

func digestOf(r host.Reader, path string) (string, error) {
	f, err := r.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return "", fmt.Errorf("cannot read %s: %w", path, err)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// newer reports whether the commit that a was built from is younger than b's.
// What carries no commit is not newer than anything.
func newer(r host.Reader, a, b string) bool {
	x, y := commitTime(r, a), commitTime(r, b)
	return !x.IsZero() && !y.IsZero() && x.After(y)
}

// commitTime is the time of the commit that the go command stamped into a file.
func commitTime(r host.Reader, path string) time.Time {
	f, err := r.Open(path)
	if err != nil {
		return time.Time{}
	}
	defer f.Close()
	at, ok := f.(io.ReaderAt)
	if !ok {
		return time.Time{}
	}
	info, err := buildinfo.Read(at)
	if err != nil {
		return time.Time{}
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.time" {
			t, _ := time.Parse(time.RFC3339, s.Value)
			return t
		}
	}
	return time.Time{}
}
