// Package archive fetches files, and installs a tar.gz in one pass: what comes from the network or
// a file is hashed, inflated and unpacked at the same time, into a directory
// that nobody uses until the digest matched.
//
// The stages are goroutines joined by a fixed number of blocks, so memory does
// not grow with the archive:
//
//	source -> [hash] -> [inflate] -> [tar] -> [write, write]
//
// An archive is hostile until its digest matched, and those that nobody pinned
// stay so: every file is created through [os.Root] and must be new, links are
// made last so that no path can lead through one, and sizes are bounded.
package archive

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/SKaiNET-developers/benchctl/internal/host"
)

// Limits bound what an archive may cost. They are far above a runner's or a
// JDK's (9,000 files, 700 MB, ratio 3.5) and far below what would hurt.
type Limits struct {
	Download int64 // compressed bytes
	Bytes    int64 // bytes unpacked
	Entries  int
	Names    int64 // bytes of all paths together
	Path     int   // bytes of one path
	Ratio    int64 // bytes out for each byte in, once past 64 MiB
}

// Default is the Limits that Install uses.
var Default = Limits{
	Download: 4 << 30,
	Bytes:    16 << 30,
	Entries:  100_000,
	Names:    16 << 20,
	Path:     1024,
	Ratio:    100,
}

// Install unpacks a.Source into the new directory a.Dir, and syncs it, so that
// the caller may rename it. On any error a.Dir is not there. An error wraps
// *[host.DigestError] when the digest is not the wanted one, and [ErrUnsound]
// when the archive is broken or holds what none should.
func Install(ctx context.Context, a host.Archive) (host.Unpacked, error) {
	var done host.Unpacked
	err := retry(ctx, func() (err error) {
		done, err = install(ctx, a, Default)
		return err
	})
	if err != nil {
		return host.Unpacked{}, fmt.Errorf("cannot unpack %s: %w", host.Printable(a.Source), err)
	}
	return done, nil
}

func install(ctx context.Context, a host.Archive, limits Limits) (host.Unpacked, error) {
	src, err := open(ctx, a.Source, a.SHA256 != "")
	if err != nil {
		return host.Unpacked{}, err
	}
	defer src.Close()
	if a.SHA256 == "" && !a.Trust {
		return host.Unpacked{}, unpinned(ctx, src, a, limits)
	}
	if err := os.Mkdir(a.Dir, 0o700); err != nil {
		return host.Unpacked{}, err
	}
	done, err := unpack(ctx, src, a, limits)
	if err != nil {
		return host.Unpacked{}, errors.Join(explain(err, a.Dir), os.RemoveAll(a.Dir))
	}
	return done, nil
}

// unpinned reads an archive that nobody vouched for, to say what its digest
// is. Nothing of it is used.
func unpinned(ctx context.Context, src *source, a host.Archive, limits Limits) error {
	in := newIntake(ctx, src, a.Progress, limits.Download)
	in.out.leave()
	in.run()
	if in.err != nil {
		return in.err
	}
	return in.digestError("")
}

// unpack runs the stages into a.Dir.
func unpack(ctx context.Context, src *source, a host.Archive, limits Limits) (host.Unpacked, error) {
	root, err := os.OpenRoot(a.Dir)
	if err != nil {
		return host.Unpacked{}, err
	}
	defer root.Close()

	inner, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	in := newIntake(inner, src, a.Progress, limits.Download)
	go in.run()
	t := newTree(root, a, limits)
	treeErr := t.read(inflate(in.out, limits))
	if treeErr != nil && !errors.Is(treeErr, ErrUnsound) {
		cancel(treeErr) // the disk failed, not the archive: no use in going on
	}
	<-in.done
	if err := verdict(ctx, in, treeErr, a.SHA256); err != nil {
		return host.Unpacked{}, err
	}
	if err := t.finish(); err != nil {
		return host.Unpacked{}, err
	}
	return host.Unpacked{SHA256: in.digest(), Size: in.bytes, Files: t.files}, nil
}

// verdict decides whose error counts: a disk that failed ended everything, a
// source that broke off explains what is wrong inside, and so does a digest.
func verdict(ctx context.Context, in *intake, treeErr error, want string) error {
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case treeErr != nil && !errors.Is(treeErr, ErrUnsound):
		return treeErr
	case in.err != nil:
		return in.err
	case want != "" && in.digest() != want:
		return in.digestError(want)
	}
	return treeErr
}

// explain gives an error its next step.
func explain(err error, dir string) error {
	switch {
	case errors.Is(err, unix.ENOSPC):
		return fmt.Errorf("%w; make room on the file system of %s, nothing of what was there was touched", err, dir)
	case errors.Is(err, unix.EDQUOT):
		return fmt.Errorf("%w; raise the disk quota for %s", err, dir)
	case errors.Is(err, unix.EROFS):
		return fmt.Errorf("%w; remount the file system of %s for writing", err, dir)
	case errors.Is(err, ErrUnsound):
		return fmt.Errorf("%w; nothing of it was kept, check where it comes from", err)
	}
	return err
}

// retry tries again what the network broke off: four times in all, waiting
// longer each time, or as long as the server asks within reason.
func retry(ctx context.Context, try func() error) error {
	wait := firstWait
	for left := 3; ; left-- {
		err := try()
		var t *transientError
		switch {
		case !errors.As(err, &t):
			return err
		case left == 0:
			return fmt.Errorf("%w, at the last of four tries too; check the network and the proxy settings", err)
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(max(wait, min(t.after, time.Minute))):
		}
		wait *= 3
	}
}

// ErrUnsound says that an archive is broken, or holds what no archive should.
var ErrUnsound = errors.New("the archive is unsound")

func unsound(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrUnsound}, args...)...)
}

// firstWait is how long the first retry waits.
var firstWait = time.Second
