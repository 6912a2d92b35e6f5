package resources

import (
	"errors"
	"fmt"
	"io/fs"
	"path"

	"github.com/SKaiNET-developers/benchctl/internal/host"
)

const (
	// firstPerson is the first uid of people (UID_MIN of login.defs(5), the same
	// in Debian and Ubuntu); below are system accounts.
	firstPerson = 1000
	// roomNeeded is what a runner, its tools and a checkout ask for at least.
	roomNeeded = 20 << 30
	// inodesNeeded is a few times the runner's own 9,000 files.
	inodesNeeded = 50_000
)

// refuseForeign stops at an account that benchctl did not make: rewriting a
// person's or a service's account would be worse than not starting. An account
// is ours if its home is root's and its own group's, or if it is still as the
// spec has it and its home is yet to be made.
func (u user) refuseForeign(r host.Reader, a host.Account, own int) error {
	const next = "choose another user name in the spec, or say `existing: true` to use the account as it is"
	switch {
	case !a.Local:
		return fmt.Errorf("cannot take over the account %s: it comes from a directory service, not from /etc/passwd; %s", a.Name, next)
	case a.UID == 0:
		return fmt.Errorf("cannot take over the account %s: it is root by another name; choose another user name in the spec", a.Name)
	case a.UID >= firstPerson:
		return fmt.Errorf("cannot take over the account %s: it belongs to a person (uid %d); %s", a.Name, a.UID, next)
	}
	info, err := r.Lstat(u.spec.User.Home)
	if err == nil && info.IsDir() && info.UID == 0 && info.GID == own {
		return nil
	}
	if errors.Is(err, fs.ErrNotExist) && len(u.diffAccount(r, a, own)) == 0 {
		return nil
	}
	return fmt.Errorf("cannot take over the account %s: it was there before benchctl (uid %d, home %s, shell %s); %s", a.Name, a.UID, a.Home, a.Shell, next)
}

// checkPlace refuses directories in which a runner cannot live, or where
// someone could swap it for another.
func (u user) checkPlace(r host.Reader) error {
	s := u.spec
	if !s.User.Existing {
		if err := u.checkAbove(r, "user.home", s.User.Home); err != nil {
			return err
		}
	}
	if err := u.checkAbove(r, "installDir", s.InstallDir); err != nil {
		return err
	}
	for _, dir := range []struct{ key, path string }{
		{"user.home", s.User.Home}, {"installDir", s.InstallDir}, {"runner.workDir", s.WorkDir()},
	} {
		if err := checkDisk(r, dir.key, dir.path); err != nil {
			return err
		}
	}
	return nil
}

func checkDisk(r host.Reader, key, dir string) error {
	d, err := r.Disk(dir)
	if err != nil {
		return fmt.Errorf("cannot look at the file system of %s: %w", dir, err)
	}
	var reason string
	switch {
	case d.ReadOnly:
		reason = "it is mounted read-only"
	case d.NoExec:
		reason = "it is mounted noexec, and a job could run nothing there"
	case d.Free < roomNeeded:
		reason = fmt.Sprintf("only %.1f GiB are free, and a runner needs %d", float64(d.Free)/(1<<30), roomNeeded>>30)
	case d.Inodes > 0 && d.FreeInodes < inodesNeeded:
		reason = fmt.Sprintf("only %d inodes are free, and a runner needs %d", d.FreeInodes, inodesNeeded)
	default:
		return nil
	}
	return fmt.Errorf("cannot put %s (%s) on the file system at %s: %s; make room there, or choose another directory", key, dir, d.Mount, reason)
}

// checkAbove makes sure that nobody but root can rename a directory on the way
// to dir. The home is the exception: its sticky bit keeps root's entries in place.
// It is set where the home is benchctl's to make, and asked for where it is not.
func (u user) checkAbove(r host.Reader, key, dir string) error {
	for p := path.Dir(dir); p != "/"; p = path.Dir(p) {
		if p == u.spec.User.Home {
			if err := u.checkHome(r); err != nil {
				return err
			}
			continue
		}
		if err := checkRoots(r, p); err != nil {
			return fmt.Errorf("cannot trust %s (%s): %w; choose a directory below /var/lib, such as /var/lib/%s", key, dir, err, u.spec.User.Name)
		}
	}
	return nil
}

// checkHome makes sure that whoever lives in the home of an existing account
// cannot put another directory in the place of the runner's.
func (u user) checkHome(r host.Reader) error {
	home := u.spec.User.Home
	info, err := r.Lstat(home)
	switch {
	case !u.spec.User.Existing, errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("cannot look at the home of %s: %w", u.spec.User.Name, err)
	case info.IsDir() && info.UID == 0 && (info.Mode&fs.ModeSticky != 0 || info.Mode.Perm()&0o022 == 0):
		return nil
	}
	return fmt.Errorf("cannot trust what is below %s, the home of %s: it belongs to uid %d (%s), and a job could swap the runner for another; let it be root's and sticky (chown root %[1]s && chmod 1770 %[1]s), or take `existing: true` out of the spec and have an account made",
		home, u.spec.User.Name, info.UID, octal(info.Mode))
}

// checkRoots checks one directory; a link counts with where it leads. What is
// not there is made later, as root's.
func checkRoots(r host.Reader, p string) error {
	if err := host.RootsAlone(r, p); err != nil {
		return err
	}
	if info, err := r.Lstat(p); err == nil && !info.IsDir() && !info.IsLink() {
		return fmt.Errorf("%s is no directory", p)
	}
	return nil
}
