package linux

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/host"
)

// Account looks a user up in passwd(5), and in NSS where the machine has
// sources beyond its files.
func (m *Machine) Account(name string) (host.Account, error) {
	fields, err := m.entry("/etc/passwd", name)
	if err != nil {
		return host.Account{}, err
	}
	local := fields != nil
	if !local {
		fields = m.nss(name)
	}
	if len(fields) < 7 {
		return host.Account{}, fmt.Errorf("no user is called %s: %w", name, fs.ErrNotExist)
	}
	uid, err1 := strconv.Atoi(fields[2])
	gid, err2 := strconv.Atoi(fields[3])
	if err1 != nil || err2 != nil {
		return host.Account{}, fmt.Errorf("cannot read the ids of %s in /etc/passwd: %q", name, strings.Join(fields[2:4], ":"))
	}
	a := host.Account{Name: name, UID: uid, GID: gid, Home: fields[5], Shell: fields[6], Local: local}
	a.Password = m.password(name)
	a.Groups, err = m.groups(name)
	return a, err
}

// entry returns the fields of the line that begins with name, or nil.
func (m *Machine) entry(file, name string) ([]string, error) {
	data, err := m.ReadFile(file)
	if err != nil {
		return nil, err
	}
	for line := range bytes.Lines(data) {
		fields := strings.Split(strings.TrimSpace(string(line)), ":")
		if fields[0] == name {
			return fields, nil
		}
	}
	return nil, nil
}

// password looks into shadow(5), which has "!" or "*" where the hash would
// stand of a password that opens nothing.
func (m *Machine) password(name string) host.Password {
	fields, err := m.entry("/etc/shadow", name)
	switch {
	case err != nil:
		return host.PasswordUnseen
	case len(fields) > 1 && (strings.HasPrefix(fields[1], "!") || strings.HasPrefix(fields[1], "*")):
		return host.PasswordLocked
	}
	return host.PasswordOpen
}

func (m *Machine) groups(name string) ([]string, error) {
	data, err := m.ReadFile("/etc/group")
	if err != nil {
		return nil, err
	}
	groups := []string{}
	for line := range bytes.Lines(data) {
		fields := strings.Split(strings.TrimSpace(string(line)), ":")
		if len(fields) == 4 && slices.Contains(strings.Split(fields[3], ","), name) {
			groups = append(groups, fields[0])
		}
	}
	slices.Sort(groups)
	return groups, nil
}

// nss asks getent(1), for accounts of a directory service. Machines that have
// only files (and systemd's own dynamic users) are not asked.
func (m *Machine) nss(name string) []string {
	if m.rooted() != "" || !m.hasNSS() {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	env := []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8"}
	getent, err := find("getent", env)
	if err != nil {
		return nil
	}
	cmd := exec.CommandContext(ctx, getent, "passwd", "--", name)
	cmd.Env = env
	out, err := cmd.Output()
	if err != nil {
		return nil
	}
	return strings.Split(firstLine(out), ":")
}

// hasNSS reports whether nsswitch.conf(5) sends user names elsewhere.
func (m *Machine) hasNSS() bool {
	data, _ := m.ReadFile("/etc/nsswitch.conf")
	for line := range bytes.Lines(data) {
		fields := strings.Fields(string(line))
		if len(fields) == 0 || fields[0] != "passwd:" {
			continue
		}
		return slices.ContainsFunc(fields[1:], func(source string) bool {
			return source != "files" && source != "compat" && source != "systemd" && !strings.HasPrefix(source, "[")
		})
	}
	return false
}
