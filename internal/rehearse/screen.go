package rehearse

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// A screen is what the copy does not get to see of this machine.
type screen struct {
	root  string   // "/", but for tests
	homes []string // the runner's user's
	skip  []string // mount points that are not in the copy

	emptied []string // homes

	dirs  []string // those that it finds empty
	files []string // those that it does not find
}

// raise looks for everything secret. The runner's homes stay, empty but for
// what the Phoronix Test Suite is told there: the copy gets a runner of its own.
func (s *screen) raise(more ...string) error {
	s.dirs = append(s.dirs, s.skip...)
	for i, home := range s.homes {
		s.homes[i] = s.real(home)
	}
	for _, hide := range []func() error{s.closeDirs, s.emptyHomes, s.emptyWorn, s.search} {
		if err := hide(); err != nil {
			return fmt.Errorf("cannot look for secrets: %w", err)
		}
	}
	for _, name := range append(more, "/etc/apt/auth.conf") {
		if name != "" {
			s.files = append(s.files, s.real(name))
		}
	}
	s.files = append(s.files, s.registrations()...)
	slices.Sort(s.dirs)
	slices.Sort(s.files)
	s.dirs, s.files = slices.Compact(s.dirs), slices.Compact(s.files)
	return nil
}

// closeDirs hides the secret directories, and those of the root directory that
// no system has.
func (s *screen) closeDirs() error {
	for _, dir := range secretDirs {
		if err := s.shut(s.real(dir)); err != nil {
			return err
		}
	}
	return s.each("/", func(path string, isDir bool) error {
		if !isDir || slices.ContainsFunc(topDirs, func(p string) bool { return strings.HasPrefix(path, p) }) {
			return nil
		}
		return s.shut(path)
	})
}

func (s *screen) emptyHomes() error {
	for _, home := range s.homes {
		if err := s.empty(home); err != nil {
			return err
		}
	}
	return nil
}

// emptyWorn hides what services used up.
func (s *screen) emptyWorn() error {
	for _, dir := range worn {
		if err := s.each(dir, func(path string, isDir bool) error {
			if isDir && !slices.Contains(needed, path) {
				s.drop(path, isDir)
			}
			return nil
		}); err != nil {
			return err
		}
	}
	return nil
}

func (s *screen) search() error {
	for _, dir := range searched {
		if err := filepath.WalkDir(filepath.Join(s.root, dir), s.judge); err != nil {
			return err
		}
	}
	return nil
}

// real is where a path leads on this machine, and the path itself where it
// leads nowhere.
func (s *screen) real(name string) string {
	at, err := filepath.EvalSymlinks(filepath.Join(s.root, name))
	if err != nil {
		return name
	}
	return path.Join("/", strings.TrimPrefix(at, s.root))
}

// hides reports whether a path is in a directory that is empty in the copy.
func (s *screen) hides(path string) bool {
	return slices.ContainsFunc(s.dirs, func(dir string) bool { return within(path, dir) })
}

// shut hides what is in a directory, but for the way to the runner's homes.
func (s *screen) shut(dir string) error {
	leads := func(path string) bool {
		return slices.ContainsFunc(s.homes, func(home string) bool { return within(home, path) })
	}
	if s.hides(dir) || slices.Contains(s.homes, dir) {
		return nil
	}
	if !leads(dir) {
		s.dirs = append(s.dirs, dir)
		return nil
	}
	return s.each(dir, func(path string, isDir bool) error {
		if isDir && leads(path) {
			return s.shut(path)
		}
		s.drop(path, isDir)
		return nil
	})
}

// empty hides what is in a home.
func (s *screen) empty(home string) error {
	for _, dir := range system {
		if within(home, dir) || within(dir, home) {
			return nil
		}
	}
	s.emptied = append(s.emptied, home)
	return s.each(home, func(at string, isDir bool) error {
		if path.Base(at) != ".phoronix-test-suite" || !isDir {
			s.drop(at, isDir)
			return nil
		}
		return s.each(at, func(at string, isDir bool) error {
			if path.Base(at) != "user-config.xml" || isDir || s.holdsPassword(at) {
				s.drop(at, isDir)
			}
			return nil
		})
	})
}

// holdsPassword reports whether the settings of the Phoronix Test Suite do.
func (s *screen) holdsPassword(at string) bool {
	text, err := os.ReadFile(filepath.Join(s.root, at))
	return err != nil || regexp.MustCompile(`<ProxyPassword>[^<]`).Match(text)
}

func (s *screen) each(dir string, do func(path string, isDir bool) error) error {
	entries, err := os.ReadDir(filepath.Join(s.root, dir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, entry := range entries {
		if err := do(path.Join(dir, entry.Name()), entry.IsDir()); err != nil {
			return err
		}
	}
	return nil
}

func (s *screen) drop(path string, isDir bool) {
	if isDir {
		s.dirs = append(s.dirs, path)
	} else {
		s.files = append(s.files, path)
	}
}
