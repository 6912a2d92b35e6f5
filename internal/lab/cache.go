package lab

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// rootLife is how long a root is used: its package lists name versions that
// the mirrors drop.
const rootLife = 7 * 24 * time.Hour

// cached returns cache/name, calling fill to make it if there is none that is
// young enough. It is filled beside and renamed when whole.
func (l *Lab) cached(ctx context.Context, name string, fill func(tmp string) error) (string, error) {
	if err := os.MkdirAll(l.cache(), 0o755); err != nil {
		return "", err
	}
	dir := filepath.Join(l.cache(), name)
	unlock, err := flock(dir+".lock", unix.LOCK_EX)
	if err != nil {
		return "", err
	}
	defer unlock()
	if info, err := os.Stat(dir); err == nil && time.Since(info.ModTime()) < rootLife {
		return dir, nil
	}
	tmp, err := os.MkdirTemp(l.cache(), "."+name+"-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(tmp)
	l.sweep(name)
	start := time.Now()
	if err := errors.Join(os.Chmod(tmp, 0o755), fill(tmp)); err != nil {
		return "", err
	}
	if err := ctx.Err(); err != nil {
		return "", err
	}
	if err := replaceDir(tmp, dir); err != nil {
		return "", err
	}
	l.logf("lab: made %s in %s", name, time.Since(start).Round(time.Second))
	return dir, nil
}

// replaceDir puts tmp in dir's place. The old directory stays beside until the
// next time, since machines may still run on it.
func replaceDir(tmp, dir string) error {
	now := time.Now()
	if err := os.Chtimes(tmp, now, now); err != nil {
		return err
	}
	old := dir + ".old"
	if err := os.RemoveAll(old); err != nil {
		return err
	}
	if err := os.Rename(dir, old); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.Rename(tmp, dir)
}

// grace is how long a machine may still run on a root that is no longer used.
const grace = 24 * time.Hour

// sweep removes what nobody will use again: roots past their life that no
// recipe asked for since, and what makers that were killed left. It is only a
// cache, so what cannot be removed stays.
func (l *Lab) sweep(making string) {
	locks, _ := filepath.Glob(filepath.Join(l.cache(), "*.lock")) // the pattern is well-formed
	for _, at := range locks {
		dir := strings.TrimSuffix(at, ".lock")
		if filepath.Base(dir) == making {
			continue
		}
		if unlock, err := flock(at, unix.LOCK_EX|unix.LOCK_NB); err == nil {
			l.sweepOne(dir)
			unlock()
		}
	}
}

// sweepOne looks at one name of the cache, which is locked.
func (l *Lab) sweepOne(dir string) {
	unfinished, _ := filepath.Glob(filepath.Join(filepath.Dir(dir), "."+filepath.Base(dir)+"-*"))
	for _, tmp := range unfinished {
		os.RemoveAll(tmp)
	}
	if _, renamed := ages(dir + ".old"); renamed > grace {
		os.RemoveAll(dir + ".old")
	}
	if made, _ := ages(dir); made > rootLife+grace {
		l.logf("lab: removing %s, which nothing has asked for since its week was over", filepath.Base(dir))
		os.RemoveAll(dir)
		os.Remove(dir + ".lock")
	}
}

// ages are how long ago a directory was made, and how long ago it got its name;
// 0 for one that is not there.
func ages(dir string) (made, renamed time.Duration) {
	var st unix.Stat_t
	if unix.Lstat(dir, &st) != nil {
		return 0, 0
	}
	return time.Since(time.Unix(st.Mtim.Unix())), time.Since(time.Unix(st.Ctim.Unix()))
}

// flock takes a file lock that ends with the process at the latest. One that a
// sweep has just removed is no lock any more.
func flock(path string, how int) (unlock func(), err error) {
	for {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return nil, err
		}
		var held, there unix.Stat_t
		if err = unix.Flock(int(f.Fd()), how); err == nil {
			err = unix.Fstat(int(f.Fd()), &held)
		}
		if err != nil {
			f.Close()
			return nil, fmt.Errorf("cannot lock %s: %w", path, err)
		}
		if unix.Stat(path, &there) == nil && there.Ino == held.Ino {
			return func() {
				// Closing alone leaves it to a child that is between fork and exec.
				_ = unix.Flock(int(f.Fd()), unix.LOCK_UN)
				f.Close()
			}, nil
		}
		f.Close()
	}
}
