package spec

import (
	"slices"
	"strings"
	"unicode"
)

func (l *loader) service(f *field) Service {
	needs, cpus := f.get("needs"), f.get("cpus")
	s := Service{Needs: l.texts(needs), Directives: l.directives(f.get("directives"), cpus.has())}
	if !cpus.has() {
		return s
	}
	set, err := ParseCPUs(cpus.text())
	switch {
	case err != nil:
		l.fault(cpus, "write a list such as 2-5,8", "%v", err)
	case set.Len() == 0:
		l.fault(cpus, "write a list such as 2-5,8, or remove cpus", "the list is empty: jobs would have no CPU")
	default:
		s.CPUs = set.String()
	}
	return s
}

func directiveName(s string) bool { return word(s, upper, alnum, 64) }

// Directives that benchctl decides, since a law rests on each: who runs, what
// is executed, how it is stopped, what is told to whom.
var ownDirectives = []string{
	"User", "Group", "DynamicUser", "SupplementaryGroups", "PAMName", "WorkingDirectory", "RootDirectory", "RootImage",
	"RootDirectoryStartOnly", "PermissionsStartOnly", "Type", "ExitType", "ExecStart", "ExecStartPre", "ExecStartPost", "ExecCondition",
	"ExecReload", "ExecStop", "ExecStopPost", "KillMode", "KillSignal", "RestartKillSignal", "FinalKillSignal", "SendSIGKILL",
	"Restart", "RemainAfterExit", "PIDFile", "GuessMainPID", "BusName", "NotifyAccess", "Environment", "EnvironmentFile",
	"PassEnvironment", "UnsetEnvironment", "LoadCredential", "LoadCredentialEncrypted", "SetCredential", "SetCredentialEncrypted",
	"ImportCredential", "SystemCallErrorNumber", "Slice", "Delegate",
}

// What to write instead of some of them.
var insteadOf = map[string]string{
	"User": "see user", "Group": "see user", "SupplementaryGroups": "see user.groups", "Environment": "see runner.env",
	"EnvironmentFile": "see runner.env", "WorkingDirectory": "see installDir and runner.workDir",
}

// Directives of other sections, by their beginnings.
var otherSections = []string{
	"Description", "Documentation", "Wants", "Requires", "Requisite", "BindsTo", "PartOf", "Upholds", "Conflicts", "Before", "After",
	"OnFailure", "OnSuccess", "PropagatesReloadTo", "JoinsNamespaceOf", "RequiresMountsFor", "RefuseManual", "AllowIsolate",
	"DefaultDependencies", "StartLimit", "Condition", "Assert", "WantedBy", "RequiredBy", "Alias", "Also",
}

func (l *loader) directives(f *field, cpus bool) map[string]string {
	all := map[string]string{}
	for _, d := range f.each() {
		name, value := d.key.Value, d.text()
		if hint, msg := directiveFault(name, value, cpus); msg != "" {
			l.fault(d, hint, "%s", msg)
		}
		all[name] = value
	}
	return all
}

// directiveFault says what is wrong with a directive, and the next step.
func directiveFault(name, value string, cpus bool) (hint, msg string) {
	begins := func(p string) bool { return strings.HasPrefix(name, p) }
	switch {
	case !directiveName(name):
		return "see systemd.exec(5)", quote(name) + " is not the name of a directive"
	case slices.Contains(ownDirectives, name):
		if hint = insteadOf[name]; hint == "" {
			hint = "remove it"
		}
		return hint, name + " is what benchctl decides"
	case slices.ContainsFunc(otherSections, begins):
		return "remove it", name + " belongs to [Unit] or [Install], and these go into [Service]"
	case cpus && (name == "AllowedCPUs" || name == "CPUAffinity"):
		return "keep service.cpus", "service.cpus says already which CPUs"
	case strings.ContainsFunc(value, func(r rune) bool { return unicode.IsControl(r) && r != '\t' }):
		return "write it on one line", "a value has one line and no control characters"
	case strings.HasSuffix(value, `\`):
		return `remove the \`, `a \ at the end would draw the next line of the unit in`
	case len(value) > 4096:
		return "shorten it", "the value has more than 4096 bytes"
	}
	return "", ""
}
