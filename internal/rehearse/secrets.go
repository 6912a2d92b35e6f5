package rehearse

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// secretDirs are directories whose contents are nobody else's business, and
// that no package needs. They are empty in the copy: see hiddenDirs.
var secretDirs = []string{"/root", "/home", "/srv", "/mnt", "/media", "/tmp", "/var/tmp", "/var/lib/benchctl", "/etc/ssh", "/etc/ssl/private",
	"/etc/NetworkManager/system-connections", "/etc/wireguard", "/etc/letsencrypt", "/var/spool/cron", "/var/mail"}

// searched are where files that not everybody may read are looked for. Such a
// file is a secret until shown otherwise, and is not in the copy.
var searched = []string{"/etc", "/opt", "/usr/local", "/var/lib", "/var/spool", "/var/backups"}

// needed are the exceptions: what packages cannot be installed without. The
// hashes in the shadow files are taken out.
var needed = []string{"/etc/shadow", "/etc/gshadow", "/etc/shadow-", "/etc/gshadow-", "/etc/sudoers", "/etc/sudoers.d",
	"/etc/.pwd.lock", "/var/lib/dpkg", "/var/lib/apt", "/var/lib/systemd", "/var/lib/private"}

// runnerSecrets are the files by which a runner is known to GitHub.
var runnerSecrets = []string{".credentials", ".credentials_migrated", ".credentials_rsaparams", ".runner", ".runner_migrated", ".env"}

// forget takes everything secret out of the copy at root. home and installDir
// are the runner's; they stay, without its registration. It returns how many
// files it took out.
func forget(root, home, installDir string) (int, error) {
	n, root := 0, filepath.Clean(root)
	for _, dir := range searched {
		m, err := forgetBelow(root, dir, home)
		n += m
		if err != nil {
			return n, fmt.Errorf("cannot take secrets below %s out of the copy: %w", dir, err)
		}
	}
	for _, dir := range registrations(root, home, installDir) {
		for _, name := range runnerSecrets {
			if err := os.Remove(filepath.Join(dir, name)); err == nil {
				n++
			} else if !errors.Is(err, fs.ErrNotExist) {
				return n, err
			}
		}
	}
	return n, errors.Join(blank(filepath.Join(root, "etc/shadow")), blank(filepath.Join(root, "etc/gshadow")))
}

// forgetBelow removes every file that others may not read, and every directory
// that they may not enter.
func forgetBelow(root, dir, home string) (n int, err error) {
	err = filepath.WalkDir(filepath.Join(root, dir), func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		name := strings.TrimPrefix(path, root)
		if slices.Contains(needed, name) || name == home {
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		info, err := entry.Info()
		if err != nil || !secret(info) {
			return err
		}
		n++
		if err := os.RemoveAll(path); err != nil {
			return err
		}
		if entry.IsDir() {
			return fs.SkipDir
		}
		return nil
	})
	return n, err
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

// registrations are the directories of runners: ours, and whatever looks like
// one where people put them.
func registrations(root, home, installDir string) []string {
	dirs := []string{filepath.Join(root, installDir)}
	for _, pattern := range []string{"/opt/*", "/opt/*/*", "/var/lib/*", "/var/lib/*/*", "/srv/*", home + "/*"} {
		found, _ := filepath.Glob(filepath.Join(root, pattern, ".runner*"))
		creds, _ := filepath.Glob(filepath.Join(root, pattern, ".credentials*"))
		for _, path := range append(found, creds...) {
			dirs = append(dirs, filepath.Dir(path))
		}
	}
	slices.Sort(dirs)
	return slices.Compact(dirs)
}

// blank takes the password hashes out of a shadow file; nobody logs in to a copy.
func blank(path string) error {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var out strings.Builder
	for line := range strings.Lines(string(data)) {
		fields := strings.Split(line, ":")
		if len(fields) > 2 && !strings.HasPrefix(fields[1], "!") && !strings.HasPrefix(fields[1], "*") {
			fields[1] = "*"
		}
		out.WriteString(strings.Join(fields, ":"))
	}
	return os.WriteFile(path, []byte(out.String()), 0o640)
}

// hiddenDirs are the secret directories, but for those that the runner is in.
func hiddenDirs(home, installDir string) []string {
	return slices.DeleteFunc(slices.Clone(secretDirs), func(dir string) bool {
		return within(home, dir) || within(installDir, dir)
	})
}

func within(path, dir string) bool { return path == dir || strings.HasPrefix(path, dir+"/") }
