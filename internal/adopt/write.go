package adopt

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/SKaiNET-developers/benchctl/resources"
	"github.com/SKaiNET-developers/benchctl/spec"
)

// A Draft is a runner.yaml with what was found.
type Draft struct {
	Survey *resources.Survey `json:"found"`
	GitHub View              `json:"github"`
	Notes  []string          `json:"notes"` // what an operator should do about it
	Text   string            `json:"spec"`

	lines []string
	user  string // as the spec has it
}

// Write drafts the spec. file is what it will be called, and host where it was
// found. An error says why no spec can be written that [spec.Load] takes.
func Write(s *resources.Survey, at View, host, file string) (*Draft, error) {
	url, err := spec.ParseURL(s.Registration.URL)
	if err != nil {
		return nil, fmt.Errorf("cannot import the runner in %s: its .runner says that it is registered at %s, which no runner can be; register it again", tidy(s.Dir), strconv.QuoteToGraphic(cut(s.Registration.URL)))
	}
	d := &Draft{Survey: s, GitHub: at, Notes: []string{}}
	d.say("Written by benchctl import from what was found on " + tidy(host) + ". Check it, then see what")
	d.say("an apply would do: benchctl diff -f " + tidy(file))
	d.put("version", "1", "")
	d.account()
	d.runner(url)
	d.tools()
	for _, what := range s.Unseen {
		d.say("not seen: " + tidy(what))
		d.note("not seen: %s", what)
	}
	if !s.Registration.Ephemeral {
		d.gap()
		d.say("Recommended: benchctl looks every half hour, and mends what drifted while no job runs.")
		d.say(`schedule: "*/30 * * * *"`)
	}
	return d, d.settle(file)
}

// recommended is the account that a runner should have.
const recommended = "gha-runner"

// account writes whom jobs run as, and where the runner lies.
func (d *Draft) account() {
	s := d.Survey
	d.gap()
	d.user = s.User
	switch why := unfit(s); {
	case s.Own && refused(d.own(), "") == "":
		d.put("user", strings.TrimPrefix(d.own(), "user: "), "found: "+d.whence())
		if s.Dir != s.Home+"/actions-runner" {
			d.put("installDir", s.Dir, "found there")
		}
		return
	case why != "":
		d.user = recommended
		d.put("user", recommended, "found: "+tidy(orUnknown(s.User))+", "+why)
		d.moves("/var/lib/" + recommended + "/actions-runner")
		return
	}
	d.put("user", fmt.Sprintf("{name: %s, existing: true, home: %s}", scalar(s.User), scalar(s.Home)), "found: "+d.whence()+"; used as it is")
	dir := s.Dir
	if s.Unsafe != "" {
		dir = "/var/lib/" + s.User + "/actions-runner"
		d.put("installDir", dir, "")
		d.moves(dir)
	} else {
		d.put("installDir", dir, "found there")
	}
	if s.SharedGroup != "" {
		d.say("Its group " + tidy(s.SharedGroup) + " is not its own: whoever is in it may write into the runner's directory.")
		d.note("the group %s of the account %s is not its own: whoever is in it may write into the runner's directory", s.SharedGroup, s.User)
	}
	d.say("Recommended, once this spec is in step: an account of its own, whose jobs see nothing of " + s.User + "'s.")
	d.say("Put these two in the place of the above; an apply then moves the runner when it is idle, takes")
	d.say("its registration along and leaves the rest of " + tidy(dir) + " where it is:")
	d.say("user: " + recommended)
	d.say("installDir: /var/lib/" + recommended + "/actions-runner")
}

// own is the account where it is one of benchctl's.
func (d *Draft) own() string {
	s := d.Survey
	if s.Home == "/var/lib/"+s.User {
		return "user: " + scalar(s.User)
	}
	return fmt.Sprintf("user: {name: %s, home: %s}", scalar(s.User), scalar(s.Home))
}

// moves says that the runner goes elsewhere.
func (d *Draft) moves(to string) {
	s := d.Survey
	why := s.Unsafe
	if why == "" {
		why = "there, jobs as " + d.user + " would work with files of another account"
	}
	d.say("found: the runner in " + tidy(s.Dir) + "; " + tidy(why) + ".")
	if s.Unit == "" {
		d.say("No unit starts it, so that nothing of root's says that it is this host's: have one made there first")
		d.say("(./svc.sh install " + tidy(orUnknown(s.User)) + "), or apply registers it anew, with --take-over.")
		d.note("no unit starts the runner in %s, so its registration cannot be taken along; run ./svc.sh install there first", s.Dir)
		return
	}
	d.say("apply moves it: it takes the registration along, so that GitHub sees the same runner.")
	d.note("the runner moves from %s to %s, with its registration: %s", s.Dir, to, why)
}

// unfit says why an account is none to run jobs as, "" when it can be used.
func unfit(s *resources.Survey) string {
	switch {
	case s.User == "root":
		return "as whom no job must run"
	case s.Home == "":
		return "an account that there is none of"
	case refused(fmt.Sprintf("user: {name: %s, existing: true, home: %s}", scalar(s.User), scalar(s.Home)), "") != "":
		return "which is no account for a runner (home " + tidy(s.Home) + ")"
	}
	return ""
}

func orUnknown(user string) string {
	if user == "" {
		return "an account without a name"
	}
	return user
}

// whence is where the account's name was read.
func (d *Draft) whence() string {
	if d.Survey.Unit == "" {
		return "whose .runner is; no unit starts it"
	}
	return "User= of " + tidy(d.Survey.Unit)
}

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
		switch why := refused("", line); {
		case name == "JAVA_HOME" && d.Survey.Java != nil:
		case why == "" && password.MatchString(value):
			why = "it holds a password, which everyone who reads this file would see"
			fallthrough
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

// tools writes the governor, the JDK and the Phoronix Test Suite.
func (d *Draft) tools() {
	d.gap()
	d.governor()
	d.jdk()
	if pts := d.Survey.PTS; pts != "" {
		d.put("pts", strconv.Quote(pts), "found: the package phoronix-test-suite")
	}
}

func (d *Draft) governor() {
	count := d.Survey.Governors
	names := slices.Sorted(maps.Keys(count))
	switch len(names) {
	case 0:
		d.say("governor: this host has no cpufreq (a virtual machine?), so there is none to set.")
		return
	case 1:
		n := count[names[0]]
		d.put("governor", scalar(names[0]), "found: on "+all(n))
		if names[0] != "performance" {
			d.say("Better for benchmarks: performance.")
		}
		return
	}
	var found []string
	for _, name := range names {
		found = append(found, fmt.Sprintf("%s on %d", name, count[name]))
	}
	d.put("governor", "performance", "found: "+tidy(strings.Join(found, ", "))+"; one for all policies is better")
}

func all(n int) string {
	if n == 1 {
		return "the one policy"
	}
	return fmt.Sprintf("all %d policies", n)
}

func (d *Draft) jdk() {
	j := d.Survey.Java
	switch {
	case j == nil:
		d.say("jdk: jobs find no java on their PATH.")
		return
	case j.Version == "":
		d.say("jdk: jobs find a java in " + tidy(j.Home) + ", which does not say its version.")
		return
	}
	found := "found: " + tidy(j.Home) + " of the package " + tidy(j.Package)
	vendor := strings.HasPrefix(j.Package, "temurin-")
	if j.Package == "" {
		found = "found: " + tidy(j.Home) + ", which no package brought; this asks for a packaged one"
	}
	if !vendor && !d.Survey.HasJDK(j.Version) {
		vendor = true
	}
	if vendor {
		d.put("jdk", fmt.Sprintf("{version: %s, vendor: temurin}", j.Version), found)
		return
	}
	d.put("jdk", j.Version, found)
}

// put writes a key with where its value comes from.
func (d *Draft) put(key, value, from string) {
	line := key + ": " + value
	if from != "" {
		line += "  # " + from
	}
	d.lines = append(d.lines, line)
}

// say writes a comment, as far indented as its text is.
func (d *Draft) say(text string) {
	bare := strings.TrimLeft(text, " ")
	d.lines = append(d.lines, text[:len(text)-len(bare)]+"# "+bare)
}

func (d *Draft) gap() { d.lines = append(d.lines, "") }

func (d *Draft) note(format string, args ...any) {
	d.Notes = append(d.Notes, tidy(fmt.Sprintf(format, args...)))
}

// settle has the spec's own rules judge each line: one that they refuse becomes a
// comment that says why, and one that must not stand there at all is left out.
func (d *Draft) settle(file string) error {
	for range len(d.lines) {
		d.Text = strings.Join(d.lines, "\n") + "\n"
		_, err := spec.Load(file, []byte(d.Text))
		var problems spec.Problems
		if !errors.As(err, &problems) {
			return err
		}
		i := slices.IndexFunc(problems, func(p spec.Problem) bool { return p.Severity == spec.Error })
		if i < 0 {
			return nil
		}
		p := problems[i]
		if p.Line < 1 || p.Line > len(d.lines) {
			return fmt.Errorf("cannot write a spec of what was found: %s", p.Msg)
		}
		line := d.lines[p.Line-1]
		bare := strings.TrimLeft(line, " ")
		key, _, isKey := strings.Cut(bare, ":")
		if !isKey || strings.HasPrefix(bare, "#") || p.Path == "" {
			d.lines[p.Line-1] = "# left out: " + tidy(p.Msg)
		} else {
			d.lines[p.Line-1] = line[:len(line)-len(bare)] + "# left out: " + key + ": " + tidy(p.Msg)
		}
		d.note("%s is left out: %s", key, p.Msg)
	}
	return errors.New("cannot write a spec of what was found: too much of it is refused; write one by hand")
}

// plainScalar is what YAML reads as itself, and not as a number or a word of its own.
var plainScalar = regexp.MustCompile(`^[A-Za-z_/][A-Za-z0-9_./@+-]*$`)

// scalar is a text as YAML.
func scalar(text string) string {
	if plainScalar.MatchString(text) && !slices.Contains([]string{"true", "false", "yes", "no", "on", "off", "null", "y", "n"}, strings.ToLower(text)) {
		return text
	}
	return strconv.QuoteToGraphic(text)
}

func each(texts []string, f func(string) string) []string {
	all := make([]string, len(texts))
	for i, t := range texts {
		all[i] = f(t)
	}
	return all
}

// tidy makes text from the host fit for a comment and a terminal.
func tidy(text string) string {
	return cut(strings.Map(func(r rune) rune {
		if !unicode.IsGraphic(r) {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(text, "?")))
}

func cut(text string) string {
	const longest = 400
	if runes := []rune(text); len(runes) > longest {
		return string(runes[:longest]) + "…"
	}
	return text
}
