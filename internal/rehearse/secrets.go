package rehearse

import (
	"bytes"
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

// secretDirs are directories whose contents are nobody else's business, and
// that no package needs.
var secretDirs = []string{"/root", "/home", "/srv", "/mnt", "/media", "/tmp", "/var/tmp", "/var/lib/benchctl", "/etc/ssh", "/etc/ssl/private",
	"/etc/NetworkManager/system-connections", "/etc/wireguard", "/etc/letsencrypt", "/etc/apt/auth.conf.d", "/var/spool/cron", "/var/mail"}

// searched are where files that not everybody may read are looked for. Such a
// file is a secret until shown otherwise, and is not in the copy.
var searched = []string{"/etc", "/opt", "/usr/local", "/var/lib", "/var/spool", "/var/backups", "/var/cache", "/var/log"}

// worn are directories whose own directories are used up by the machine's
// services. Those are empty in the copy.
var worn = []string{"/var/cache", "/var/log"}

// needed are the exceptions: what packages cannot be installed without. The
// hashes in the shadow files are taken out.
var needed = []string{"/etc/shadow", "/etc/gshadow", "/etc/sudoers", "/etc/sudoers.d", "/etc/.pwd.lock",
	"/var/lib/dpkg", "/var/lib/apt", "/var/cache/apt", "/var/cache/debconf", "/var/lib/systemd", "/var/lib/private"}

// system is what a copy cannot do without, whoever says that it is his home.
var system = []string{"/usr", "/etc", "/bin", "/sbin", "/lib", "/boot", "/var/lib/dpkg", "/var/lib/apt"}

// runnerSecrets are the files by which a runner is known to GitHub.
var runnerSecrets = []string{".credentials", ".credentials_migrated", ".credentials_rsaparams", ".runner", ".runner_migrated", ".env"}

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
	for _, dir := range secretDirs {
		if err := s.shut(dir); err != nil {
			return err
		}
	}
	for _, home := range s.homes {
		if err := s.empty(home); err != nil {
			return err
		}
	}
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
	for _, dir := range searched {
		if err := filepath.WalkDir(filepath.Join(s.root, dir), s.judge); err != nil {
			return fmt.Errorf("cannot look for secrets below %s: %w", dir, err)
		}
	}
	for _, name := range append(more, "/etc/apt/auth.conf") {
		if real, err := filepath.EvalSymlinks(filepath.Join(s.root, name)); err == nil && name != "" {
			s.files = append(s.files, path.Join("/", strings.TrimPrefix(real, s.root)))
		}
	}
	s.files = append(s.files, s.registrations()...)
	slices.Sort(s.dirs)
	slices.Sort(s.files)
	s.dirs, s.files = slices.Compact(s.dirs), slices.Compact(s.files)
	return nil
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
		return fmt.Errorf("cannot look for secrets: %w", err)
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

// judge drops a file that others may not read, and a directory that they may
// not look into.
func (s *screen) judge(at string, entry fs.DirEntry, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	name := path.Join("/", strings.TrimPrefix(at, s.root))
	if slices.Contains(needed, name) || slices.Contains(s.emptied, name) || s.hides(name) {
		if entry.IsDir() {
			return fs.SkipDir
		}
		return nil
	}
	info, err := entry.Info()
	if err != nil || !secret(info) {
		return ignoreGone(err)
	}
	s.drop(name, info.IsDir())
	if info.IsDir() {
		return fs.SkipDir
	}
	return nil
}

func ignoreGone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// secret reports whether others are kept from a file or directory.
func secret(info fs.FileInfo) bool {
	switch {
	case info.IsDir():
		return info.Mode().Perm()&0o005 == 0
	case info.Mode().IsRegular():
		return info.Mode().Perm()&0o004 == 0
	}
	return false
}

// registrations are the secrets of other runners of this machine, where people
// put them. Links are followed here, so that the copy's need not be.
func (s *screen) registrations() (files []string) {
	for _, pattern := range []string{"/opt/*", "/opt/*/*", "/var/lib/*", "/var/lib/*/*", "/usr/local/*"} {
		for _, name := range runnerSecrets[:5] {
			found, _ := filepath.Glob(filepath.Join(s.root, pattern, name)) // the pattern is well-formed
			for _, at := range found {
				if real, err := filepath.EvalSymlinks(filepath.Dir(at)); err == nil {
					for _, name := range runnerSecrets {
						files = append(files, path.Join("/", strings.TrimPrefix(real, s.root), name))
					}
				}
			}
		}
	}
	return files
}

// lower takes the screen's files out of the copy, and the passwords out of its
// accounts. It returns how many files there were.
func (s *screen) lower(root *os.Root) (n int, err error) {
	for _, name := range s.files {
		err := root.Remove(name[1:])
		switch {
		case err == nil:
			n++
		case !errors.Is(err, fs.ErrNotExist) && !s.hides(name):
			return n, fmt.Errorf("cannot take %s out of the copy: %w", name, err)
		}
	}
	return n, errors.Join(blank(root, "etc/shadow"), blank(root, "etc/gshadow"))
}

// blank takes the password hashes out of a shadow file; what is not locked
// stays so, and opens for no password.
func blank(root *os.Root, name string) error {
	data, err := root.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var out bytes.Buffer
	for line := range strings.Lines(string(data)) {
		fields := strings.Split(line, ":")
		if len(fields) > 2 && strings.Trim(fields[1], "!*") != "" {
			locked := fields[1][:len(fields[1])-len(strings.TrimLeft(fields[1], "!*"))]
			fields[1] = locked + "$none$"
		}
		out.WriteString(strings.Join(fields, ":"))
	}
	return root.WriteFile(name, out.Bytes(), 0o640)
}

func within(path, dir string) bool {
	return path == dir || dir == "/" || strings.HasPrefix(path, dir+"/")
}
