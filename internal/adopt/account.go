package adopt

import (
	"fmt"
	"strings"

	"github.com/SKaiNET-developers/benchctl/resources"
)

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
			d.put("installDir", scalar(s.Dir), "found there")
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
		d.put("installDir", scalar(dir), "")
		d.moves(dir)
	} else {
		d.put("installDir", scalar(dir), "found there")
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
