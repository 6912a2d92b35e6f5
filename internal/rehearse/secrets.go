package rehearse

import (
	"errors"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// secretDirs are directories whose contents are nobody else's business, and
// that no package needs.
var secretDirs = []string{"/root", "/home", "/srv", "/mnt", "/media", "/tmp", "/var/tmp", "/var/lib/benchctl", "/etc/ssh", "/etc/ssl/private",
	"/etc/NetworkManager/system-connections", "/etc/wireguard", "/etc/letsencrypt", "/etc/apt/auth.conf.d", "/var/spool/cron", "/var/mail", "/var/www", "/var/crash", "/var/snap"}

// topDirs begin the names of the root directory's own (file-hierarchy(7)). What
// else is there belongs to the machine's owner.
var topDirs = []string{"/bin", "/boot", "/dev", "/etc", "/lib", "/media", "/mnt", "/opt", "/proc", "/root", "/run", "/sbin", "/srv", "/sys", "/tmp", "/usr", "/var"}

// searched are where files that not everybody may read are looked for. Such a
// file is a secret until shown otherwise, and is not in the copy.
var searched = []string{"/etc", "/opt", "/usr/local", "/var"}

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
