package adopt

import (
	"errors"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/SKaiNET-developers/benchctl/resources"
	"github.com/SKaiNET-developers/benchctl/spec"
)

// runner writes the registration and the program.
func (d *Draft) runner(url spec.URL) {
	s, reg := d.Survey, d.Survey.Registration
	d.gap()
	d.lines = append(d.lines, "runner:")
	d.put("  url", url.Text, "found: .runner, with id "+strconv.FormatInt(reg.ID, 10))
	d.version(url)
	d.put("  name", scalar(reg.Name), "found: .runner")
	d.labels()
	if group := d.group(url); group != "" {
		d.put("  group", scalar(group), "found: where the runner is")
	}
	if reg.WorkDir != "_work" {
		d.put("  workDir", scalar(reg.WorkDir), "found: .runner")
	}
	if reg.AutoUpdate {
		d.put("  autoUpdate", "true", "found: registered without --disableupdate")
		d.say("  Better: false, so that only root can change what jobs run. That registers the runner anew.")
	}
	d.env()
	if reg.Ephemeral {
		d.put("  ephemeral", "true", "found: .runner")
		d.put("schedule", `"*/10 * * * *"`, "needed: who else registers it after each job?")
		d.put("github", "{tokenFile: /etc/benchctl/token}", "needed: with a token that may register runners")
		d.note("an ephemeral runner: write a token that may register runners into /etc/benchctl/token, as root, with mode 0600")
	}
	if len(s.DropIns) > 0 {
		d.gap()
		d.say("found: drop-ins of the unit, which apply moves aside: " + tidy(strings.Join(s.DropIns, ", ")) + ".")
		d.say("What of them is to stay belongs here, below service:, or service.directives.")
		d.note("%s: apply moves it aside; what is to stay belongs into the spec", strings.Join(s.DropIns, ", "))
	}
}

func (d *Draft) version(url spec.URL) {
	version, from := d.Survey.Version, "found: the program"
	if version == "" {
		version, from = d.GitHub.Version, "found: what GitHub says"
	}
	if version == "" {
		version, from = spec.Latest, "not found: neither the program nor GitHub says"
	}
	d.put("  version", strconv.Quote(version), from)
	if least, old := url.TooOld(version); old {
		d.say("  GitHub registers no runner older than " + least + ": write a newer one, and an apply installs it.")
		d.note("runner %s is too old for GitHub to register; write a newer runner.version", version)
	}
}

// labels are known to GitHub alone.
func (d *Draft) labels() {
	if d.GitHub.Seen {
		d.put("  labels", "["+strings.Join(each(d.GitHub.Labels, scalar), ", ")+"]", "found: GitHub")
		return
	}
	d.say("  labels: not known, since they are kept at GitHub alone (" + tidy(d.GitHub.Why) + ").")
	d.say("  Write all of them here before an apply with credentials, which takes every other one away:")
	d.say("  labels: [self-hosted, linux, x64, ...]")
	d.note("its labels are kept at GitHub alone and could not be read (%s); write them into the spec, or an apply with credentials takes them away", d.GitHub.Why)
}

func (d *Draft) group(url spec.URL) string {
	group := d.GitHub.Group
	if group == "" && !d.GitHub.Seen {
		group = d.Survey.Registration.Group
	}
	if url.Scope == spec.Repository || strings.EqualFold(group, "Default") {
		return ""
	}
	return group
}

// env writes the variables that a spec takes. JAVA_HOME follows from jdk.
func (d *Draft) env() {
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(d.Survey.Env)) {
		value := d.Survey.Env[name]
		line := "    " + scalar(name) + ": " + scalar(value)
		switch why := unwritable(name, value, line); {
		case name == "JAVA_HOME" && d.Survey.Java != nil:
		case why != "":
			lines = append(lines, "    # left out: "+tidy(name)+": "+tidy(why))
			d.note("%s of the runner's environment is left out: %s", name, why)
		default:
			lines = append(lines, line+"  # found: the runner's environment")
		}
	}
	if slices.ContainsFunc(lines, func(l string) bool { return !strings.HasPrefix(l, "    #") }) {
		d.lines = append(d.lines, "  env:")
	}
	d.lines = append(d.lines, lines...)
}

// unwritable says why a variable does not belong into a file that everyone reads,
// "" when it does; line is what it would be there.
func unwritable(name, value, line string) string {
	switch why := refused("", line); {
	case why != "":
		return why
	case password.MatchString(value):
		return "it holds a password, which everyone who reads this file would see"
	case resources.NamedSecret(name):
		return "it is named like a secret, which everyone who reads this file would see"
	}
	return ""
}

// password is one in a URL.
var password = regexp.MustCompile(`://[^/@\s]+@`)

// refused says why a spec does not take a line about the user, or one of
// runner.env; "" when it does.
func refused(user, env string) string {
	if user == "" {
		user = "user: x"
	}
	if env != "" {
		env = "  env:\n" + env + "\n"
	}
	_, err := spec.Load("", []byte("version: 1\n"+user+"\nrunner:\n  url: https://github.com/o/r\n  version: \"2.336.0\"\n"+env))
	var problems spec.Problems
	if errors.As(err, &problems) {
		for _, p := range problems {
			if p.Severity == spec.Error {
				return p.Msg
			}
		}
	}
	return ""
}
