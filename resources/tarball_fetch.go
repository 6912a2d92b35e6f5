package resources

import (
	"context"
	"fmt"
	"path"

	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/spec"
)

// A RunnerPackage is a version of the runner as it was fetched and unpacked.
type RunnerPackage struct {
	Version string
	Source  string // URL or path
	host.Unpacked
}

// FetchRunner fetches the runner that a spec asks for, has its digest vouched
// for, and unpacks it into dir, which is made: all as an apply does it, and
// nothing of it is used. What cannot be fetched is an apply's own error.
func FetchRunner(ctx context.Context, h host.Host, s *spec.Spec, o Options, dir string) (RunnerPackage, error) {
	t := tarballOf(s, o)
	version, err := t.wanted(ctx, "")
	if err != nil {
		return RunnerPackage{}, err
	}
	if err := roomFor(h, path.Dir(dir)); err != nil {
		return RunnerPackage{}, err
	}
	l := &tarballLook{want: version, source: t.Source, sha256: t.SHA256}
	done, err := t.unpack(ctx, h, l, dir, host.Account{})
	if err == nil {
		_, err = t.tops(l, done.Files) // it is a runner, and no more
	}
	return RunnerPackage{version, l.archive(), done}, err
}

// roomFor is an error where a runner does not fit beside what is in dir.
func roomFor(r host.Reader, dir string) error {
	if disk, err := r.Disk(dir); err == nil && disk.Free < unpackRoom {
		return fmt.Errorf("cannot unpack the runner: %.1f GiB are free on the file system of %s, and it takes %d; make room there, nothing was touched",
			float64(disk.Free)/(1<<30), dir, unpackRoom>>30)
	}
	return nil
}
