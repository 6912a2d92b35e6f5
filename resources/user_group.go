package resources

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/SKaiNET-developers/benchctl/internal/host"
)

// A group is an entry of group(5).
type group struct {
	name    string
	gid     int
	members []string
}

func groups(r host.Reader) ([]group, error) {
	text, err := r.ReadFile("/etc/group")
	if err != nil {
		return nil, fmt.Errorf("cannot look up groups: %w", err)
	}
	var all []group
	for line := range strings.Lines(string(text)) {
		fields := strings.Split(strings.TrimSpace(line), ":")
		if len(fields) != 4 {
			continue
		}
		if gid, err := strconv.Atoi(fields[2]); err == nil {
			members := strings.FieldsFunc(fields[3], func(r rune) bool { return r == ',' })
			all = append(all, group{fields[0], gid, members})
		}
	}
	return all, nil
}

func groupNamed(r host.Reader, name string) (group, bool, error) {
	all, err := groups(r)
	for _, g := range all {
		if g.name == name {
			return g, true, nil
		}
	}
	return group{}, false, err
}

// groupName is what a group is called, its number if it has no name.
func groupName(r host.Reader, gid int) string {
	all, _ := groups(r)
	for _, g := range all {
		if g.gid == gid {
			return g.name
		}
	}
	return strconv.Itoa(gid)
}

// userName is what an account is called, its number if it has no name.
func userName(r host.Reader, uid int) string {
	text, _ := r.ReadFile("/etc/passwd")
	for line := range strings.Lines(string(text)) {
		if fields := strings.Split(line, ":"); len(fields) > 2 && fields[2] == strconv.Itoa(uid) {
			return fields[0]
		}
	}
	return strconv.Itoa(uid)
}

// ownership is an owner and a group as chown(1) takes them, such as
// root:gha-runner.
func ownership(r host.Reader, uid, gid int) string {
	return userName(r, uid) + ":" + groupName(r, gid)
}

// ownGroup is the id of the group that an account of benchctl's is made with,
// the one of its own name, in whatever group it is now. Without one there it is
// the group that it has.
func ownGroup(r host.Reader, a host.Account) (int, error) {
	own, exists, err := groupNamed(r, a.Name)
	if err != nil || !exists {
		return a.GID, err
	}
	return own.gid, nil
}

// accountOf looks up the account that jobs run as, in its own group: where it
// has drifted into another, kind user says so, and nobody else follows it there.
func accountOf(r host.Reader, name string, existing bool) (host.Account, error) {
	a, err := r.Account(name)
	if err != nil || existing {
		return a, err
	}
	a.GID, err = ownGroup(r, a)
	return a, err
}
