package resources

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/reconcile"
	"github.com/SKaiNET-developers/benchctl/spec"
)

// user is the account that jobs run as: a system account whose password is
// locked, in no group but those listed, and whose home belongs to root, with
// the sticky bit, so that a job can neither rename nor replace what lies there.
// An account that exists is used as it is, if the spec says so.
type user struct{ spec *spec.Spec }

// homeMode lets the account's group make files in its home, and remove only
// its own.
const homeMode = fs.ModeSticky | 0o770

func (u user) ID() reconcile.ID { return reconcile.ID{Kind: "user"} }

// Diff compares the account and its home, and refuses a place where a runner
// cannot live.
func (u user) Diff(_ context.Context, r host.Reader) ([]reconcile.Change, error) {
	if err := u.checkPlace(r); err != nil {
		return nil, err
	}
	want := u.spec.User
	have, err := r.Account(want.Name)
	if errors.Is(err, fs.ErrNotExist) {
		if want.Existing {
			return nil, fmt.Errorf("cannot use the account %s: nobody has that name; make it, or take `existing: true` out of the spec", want.Name)
		}
		return []reconcile.Change{{Field: "account", Have: "absent", Want: "system account " + want.Name + " with home " + want.Home}}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot look up the account %s: %w", want.Name, err)
	}
	if want.Existing {
		return nil, nil
	}
	own, err := ownGroup(r, have)
	if err != nil {
		return nil, err
	}
	if err := u.refuseForeign(r, have, own); err != nil {
		return nil, err
	}
	changes := append(u.diffAccount(r, have, own), u.diffHome(r, own)...)
	if have.Password == host.PasswordUnseen {
		return changes, fmt.Errorf("%w: whether the password of %s is locked stands in /etc/shadow, which cannot be read; run as root, and see that the file is there", reconcile.ErrUnknown, have.Name)
	}
	return changes, nil
}

// diffAccount compares an account with the spec; own is the id of its own group.
func (u user) diffAccount(r host.Reader, have host.Account, own int) []reconcile.Change {
	want := u.spec.User
	var changes []reconcile.Change
	differs := func(field, have, want string, effects ...reconcile.Effect) {
		if have != want {
			changes = append(changes, reconcile.Change{Field: field, Have: have, Want: want, Effects: effects})
		}
	}
	// usermod changes a home only while nothing runs as the account; groups are
	// those a process was started with.
	if have.GID != own {
		differs("group", groupName(r, have.GID), want.Name, reconcile.Restart)
	}
	differs("home", have.Home, want.Home, reconcile.Restart)
	differs("shell", have.Shell, want.Shell)
	differs("groups", groupList(have.Groups), groupList(want.Groups), reconcile.Restart)
	if have.Password == host.PasswordOpen {
		differs("password", "not locked", "locked")
	}
	return changes
}

func (u user) diffHome(r host.Reader, own int) []reconcile.Change {
	have := "absent"
	if info, err := r.Lstat(u.spec.User.Home); err == nil && info.IsDir() {
		if info.UID == 0 && info.GID == own && info.Mode == homeMode {
			return nil
		}
		have = ownership(r, info.UID, info.GID) + " " + octal(info.Mode)
	}
	return []reconcile.Change{{Field: "home directory", Have: have, Want: ownership(r, 0, own) + " " + octal(homeMode)}}
}

// octal is a mode as chmod(1) takes it, such as 1770.
func octal(m fs.FileMode) string {
	bits := uint32(m.Perm())
	for mode, bit := range map[fs.FileMode]uint32{fs.ModeSetuid: 0o4000, fs.ModeSetgid: 0o2000, fs.ModeSticky: 0o1000} {
		if m&mode != 0 {
			bits |= bit
		}
	}
	return fmt.Sprintf("%04o", bits)
}

func groupList(groups []string) string {
	if len(groups) == 0 {
		return "none"
	}
	sorted := slices.Clone(groups)
	slices.Sort(sorted)
	return strings.Join(slices.Compact(sorted), ", ")
}

// Apply makes the account, or mends what differs.
func (u user) Apply(ctx context.Context, h host.Host) error {
	want := u.spec.User
	have, err := h.Account(want.Name)
	if errors.Is(err, fs.ErrNotExist) {
		if err := u.add(ctx, h); err != nil {
			return err
		}
		have, err = h.Account(want.Name)
	}
	if err != nil {
		return fmt.Errorf("cannot look up the account %s: %w", want.Name, err)
	}
	own, err := ownGroup(h, have)
	if err != nil {
		return err
	}
	if args := u.modify(h, have, own); args != nil {
		if err := accountTool(ctx, h, append(append([]string{"usermod"}, args...), want.Name)); err != nil {
			return fmt.Errorf("cannot change the account %s: %w", want.Name, err)
		}
	}
	if len(u.diffHome(h, own)) == 0 {
		return nil
	}
	if err := bringTree(h, want.Home); err != nil {
		return err
	}
	if err := h.Mkdir(want.Home, host.Perm{Mode: homeMode, GID: own}); err != nil {
		return fmt.Errorf("cannot make the home of %s: %w", want.Name, err)
	}
	return nil
}

// add makes the account. Its group is its own: whoever is in it may write to
// the runner's home, so a group of that name with members is not taken over.
func (u user) add(ctx context.Context, h host.Host) error {
	want := u.spec.User
	args := []string{"useradd", "--system", "--no-create-home", "--home-dir", want.Home, "--shell", want.Shell}
	group, exists, err := groupNamed(h, want.Name)
	switch {
	case err != nil:
		return err
	case len(group.members) > 0:
		return fmt.Errorf("cannot make the account %s: a group of that name has members (%s); choose another user name in the spec",
			want.Name, strings.Join(group.members, ", "))
	case exists:
		args = append(args, "--gid", want.Name)
	default:
		args = append(args, "--user-group")
	}
	if len(want.Groups) > 0 {
		args = append(args, "--groups", strings.Join(want.Groups, ","))
	}
	if err := bring(h, func(b *brought) { b.Account = want.Name }); err != nil {
		return err
	}
	if err := accountTool(ctx, h, append(args, want.Name)); err != nil {
		return fmt.Errorf("cannot make the account %s: %w", want.Name, err)
	}
	return nil
}

// modify returns usermod's arguments for what differs, or nil.
func (u user) modify(r host.Reader, have host.Account, own int) []string {
	var args []string
	for _, c := range u.diffAccount(r, have, own) {
		switch c.Field {
		case "group":
			args = append(args, "--gid", u.spec.User.Name)
		case "home":
			args = append(args, "--home", u.spec.User.Home)
		case "shell":
			args = append(args, "--shell", u.spec.User.Shell)
		case "groups":
			args = append(args, "--groups", strings.Join(u.spec.User.Groups, ","))
		case "password":
			args = append(args, "--lock")
		}
	}
	return args
}

func accountTool(ctx context.Context, h host.Host, argv []string) error {
	_, err := h.Run(ctx, host.Command{Argv: argv, Env: []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8"}})
	return err
}
