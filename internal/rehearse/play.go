package rehearse

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/lab"
	"github.com/SKaiNET-developers/benchctl/internal/standin"
)

// copySpec is where the copy keeps its spec, and copyToken a token that opens
// the stand-in alone.
const (
	copySpec  = "/etc/benchctl/runner.yaml"
	copyToken = "/etc/benchctl/rehearsal-token"
)

// errPlay is a rehearsal in which something did not go as it should.
var errPlay = errors.New("the rehearsal found a fault; the output above says where")

// play is the whole rehearsal, act by act.
func (s *stage) play(ctx context.Context) error {
	var acts []func(context.Context) error
	if s.RealDownloads {
		acts = append(acts, s.actFetch)
	}
	acts = append(acts, s.actDiff, s.actApply, s.actAgain, s.actJob)
	for _, d := range s.drifts() {
		acts = append(acts, func(ctx context.Context) error { return s.actDrift(ctx, d) })
	}
	if s.Spec.Schedule != nil {
		acts = append(acts, s.actAgent)
	}
	for _, act := range acts {
		if err := act(ctx); err != nil {
			return err
		}
	}
	if refused := s.proxy.Refused(); len(refused) > 0 {
		s.say("\nNot reached, on purpose: %s.", strings.Join(refused, ", "))
	}
	s.say("\nEverything went as it should.")
	return nil
}

func (s *stage) actDiff(ctx context.Context) error {
	s.say("\n# What differs on this machine\n$ benchctl diff")
	return s.want(ctx, 2, "diff")
}

func (s *stage) actApply(ctx context.Context) error {
	s.say("\n# Make it so\n$ benchctl apply")
	if err := s.want(ctx, 0, "apply"); err != nil || s.Spec.Schedule == nil {
		return err
	}
	return s.letAgentPass(ctx)
}

// letAgentPass waits until the agent has made its pass at start, and what that
// led to: in its sandbox it sees the kernel's own knob in place of the copy's.
func (s *stage) letAgentPass(ctx context.Context) error {
	const script = `until systemctl show -P StatusText benchctl.service | grep -q "; next" && ! systemctl -q is-active benchctl-apply.service
do sleep 0.1; done`
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if r, err := s.Run(ctx, "sh", "-c", script); err != nil || r.Status != 0 {
		return fmt.Errorf("the agent did not make its first pass: %w", errors.Join(err, r.Err()))
	}
	return nil
}

func (s *stage) actAgain(ctx context.Context) error {
	s.say("\n# Now nothing differs, and a second apply changes nothing\n$ benchctl diff; benchctl apply")
	return errors.Join(s.want(ctx, 0, "diff", "--quiet"), s.want(ctx, 0, "apply", "--quiet"))
}

// actJob has the runner take a pretend job, which nothing may disturb.
func (s *stage) actJob(ctx context.Context) error {
	s.say("\n# While a job runs, nothing is touched\n$ benchctl apply")
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	id := s.hub.Enqueue(standin.Job{Name: "pretend benchmark", Sleep: 4 * time.Second})
	if _, err := s.hub.WaitJob(ctx, id, func(j standin.JobState) bool { return !j.Started.IsZero() }); err != nil {
		return fmt.Errorf("the runner did not take the pretend job: %w", err)
	}
	err := s.want(ctx, 3, "apply", "--quiet")
	job, waited := s.hub.WaitJob(ctx, id, standin.JobState.Over)
	if waited == nil {
		s.say("The job ended: %s.", job.Result)
	}
	return errors.Join(err, waited)
}

// A drift is something that happens to hosts.
type drift struct{ what, command string }

// drifts are three that this spec looks after.
func (s *stage) drifts() []drift {
	dir := s.Spec.InstallDir
	all := []drift{{"Somebody loosens the runner's unit", "sed -i 's/^NoNewPrivileges=yes/NoNewPrivileges=no/; s/^Restart=always/Restart=no/' /etc/systemd/system/actions.runner.*.service"}}
	if g := s.Spec.Governor; g != nil {
		other := "powersave"
		if g.Name == other {
			other = "performance"
		}
		all = append(all, drift{"A power daemon changes the governor of one policy",
			"echo " + other + " >/sys/devices/system/cpu/cpufreq/policy0/scaling_governor"})
	}
	all = append(all, drift{"A script empties the jobs' PATH", "echo /usr/bin >" + dir + "/.path"})
	if !s.Spec.User.Existing {
		all = append(all, drift{"Somebody gives the runner's account a shell", "usermod -s /bin/bash " + s.Spec.User.Name})
	}
	all = append(all, drift{"Somebody edits a hook", "echo exit 0 >/usr/local/lib/benchctl/job-started.sh"})
	return all[:3]
}

func (s *stage) actDrift(ctx context.Context, d drift) error {
	s.say("\n# Drift: %s\n$ %s", d.what, d.command)
	if r, err := s.Run(ctx, "sh", "-c", d.command); err != nil || r.Status != 0 {
		return fmt.Errorf("cannot make the drift %q: %w", d.what, errors.Join(err, r.Err()))
	}
	s.say("$ benchctl diff; benchctl apply; benchctl diff")
	return errors.Join(s.want(ctx, 2, "diff", "--quiet"), s.want(ctx, 0, "apply", "--quiet"), s.want(ctx, 0, "diff", "--quiet"))
}

// actAgent leaves a drift to the agent.
func (s *stage) actAgent(ctx context.Context) error {
	const hook = "/usr/local/lib/benchctl/job-completed.sh"
	s.say("\n# The agent mends what drifts, by its schedule or when it is told to look\n$ rm %s; systemctl reload benchctl; journalctl -u benchctl-apply", hook)
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	begun := time.Now()
	r, err := s.Run(ctx, "sh", "-c", `rm $0 && systemctl reload benchctl
until test -e $0 && test $(systemctl show -P ActiveState benchctl-apply.service) = inactive; do sleep 0.1; done`, hook)
	if err != nil || r.Status != 0 {
		return fmt.Errorf("the agent did not mend %s: %w", hook, errors.Join(err, r.Err()))
	}
	r, err = s.Run(ctx, "sh", "-c", `journalctl --sync; journalctl -q -o cat _SYSTEMD_UNIT=benchctl-apply.service | grep "changed: $0"`, hook)
	s.say("%s\n%s\n$ benchctl diff", strings.TrimSpace(r.Stdout), took(begun))
	return errors.Join(err, r.Err(), s.want(ctx, 0, "diff", "--quiet"))
}

// want runs benchctl in the copy, shows what it says as it says it, and wants
// an exit code.
func (s *stage) want(ctx context.Context, code int, args ...string) error {
	begun := time.Now()
	command := append([]string{"/usr/local/bin/benchctl", args[0], "-f", copySpec}, args[1:]...)
	r, err := s.Do(ctx, lab.Command{
		// What it says is heard live on stderr alone, and should keep its order.
		Argv: append([]string{"/bin/sh", "-c", `exec "$0" "$@" >&2`}, command...),
		Env:  append([]string{"GITHUB_TOKEN=" + token, "HOME=/root"}, s.downloadEnv()...),
		Live: s.Out,
	})
	if err != nil {
		return err
	}
	s.say("%s", took(begun))
	if r.Status != code {
		s.say("benchctl %s ended with %d; %d was to be expected.", args[0], r.Status, code)
		return errPlay
	}
	return nil
}
