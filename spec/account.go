package spec

import "slices"

// accountName is what useradd takes on Debian and Ubuntu without
// --badname (shadow, lib/chkname.c), but for the trailing $ of Samba.
func accountName(s string) bool { return word(s, lower+"_", lower+digits+"_-", 32) }

// Groups whose members can become root, which makes every job root.
var rootGroups = []string{"adm", "disk", "docker", "incus-admin", "kvm", "libvirt", "lxd", "root", "shadow", "sudo", "wheel"}

func (l *loader) user(f *field) User {
	u := User{
		Name:     l.userName(f.get("name")),
		Existing: f.get("existing").flag(),
		Shell:    l.absolute(f.get("shell")),
		Groups:   l.groups(f.get("groups")),
	}
	home := f.get("home")
	u.Home = l.ownDir(home, "a directory of its own, such as /var/lib/"+u.Name)
	if u.Existing {
		l.existing(f)
		return u
	}
	if !home.has() && u.Name != "" {
		u.Home = "/var/lib/" + u.Name
	}
	if within(u.Home, "/home") {
		l.fault(home, "use /var/lib/"+u.Name, "the runner's service cannot see /home: it holds people's files, and the sandbox hides it (ProtectHome)")
	}
	return u
}

// existing checks that nothing is wanted of an account that is left as it is,
// and that its home is known: it is looked up nowhere.
func (l *loader) existing(f *field) {
	for _, key := range []string{"shell", "groups"} {
		if f.get(key).has() {
			l.fault(f.get(key), "remove it, or existing: true", "existing: true changes nothing about the account")
		}
	}
	if !f.get("home").has() {
		l.fault(f.get("home"), "add home: with what `getent passwd NAME` says", "an existing account's home must be named")
	}
}

func (l *loader) userName(f *field) string {
	name := f.text()
	switch {
	case !f.has():
	case name == "root":
		l.fault(f, "name an account of its own, such as gha-runner", "jobs must not run as root")
	case name == "nobody":
		l.fault(f, "name an account of its own, such as gha-runner", "nobody is shared by other services")
	case !accountName(name):
		l.fault(f, "use lower-case letters, digits, _ and -, a letter first, at most 32", "%s is not a name that useradd takes", quote(name))
	default:
		return name
	}
	return ""
}

func (l *loader) groups(f *field) []string {
	names := l.texts(f)
	for i, name := range names {
		if slices.Contains(rootGroups, name) {
			l.warn(f.items[i], "remove it unless every job may do that", "members of %s can become root", name)
		}
	}
	return names
}

// texts returns the strings of a list, complaining of those that it has twice.
func (l *loader) texts(f *field) []string {
	f.each()
	var all []string
	for _, item := range f.items {
		s := item.text()
		if slices.Contains(all, s) {
			l.fault(item, "remove it", "%s is there already", quote(s))
		}
		all = append(all, s)
	}
	return all
}

// installDir is the runner's directory: below home, because the sandbox lets
// the runner write there alone, and because home's sticky bit is what keeps a
// job from moving the directory away and putting its own in the place. The home
// of an existing account can be anything, such as a person's, which nothing
// protects: its runner may lie elsewhere, in a directory of its own.
func (l *loader) installDir(f *field, u User) string {
	home := u.Home
	if !f.has() {
		return home + "/actions-runner"
	}
	if u.Existing {
		return l.ownDir(f, "a directory of its own, such as /var/lib/"+u.Name+"/actions-runner")
	}
	dir := l.absolute(f)
	if dir != "" && home != "" && (!within(dir, home) || dir == home) {
		l.fault(f, "use "+home+"/actions-runner, or change user.home",
			"%s is not below the user's home %s, where the sandbox and the protection of the runner's files end", dir, home)
	}
	return dir
}
