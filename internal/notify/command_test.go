package notify_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/internal/notify"
)

func TestWhatACommandIsGiven(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.opt.Getenv = func(name string) string {
		return map[string]string{"https_proxy": "http://proxy:3128", "GITHUB_TOKEN": "s3cret", "LD_PRELOAD": "/evil.so"}[name]
	}
	var cmd host.Command
	d.OnRun = func(c host.Command) (host.Output, error) {
		cmd = c
		return d.program(c)
	}
	d.wants(0, report("apply", "cpufreq=failed"), "firing failed/cpufreq")
	want := []string{
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", "HOME=/root",
		"BENCHCTL_HOST=bench7", "BENCHCTL_CAUSE=failed/cpufreq", "BENCHCTL_STATE=firing", "BENCHCTL_SUBJECT=correction failed",
		"BENCHCTL_TEXT=bench7: could not be brought into step: cpufreq. Seen since 2026-11-23 12:00 UTC. Next: run `benchctl apply` on the host, which says why.",
		"BENCHCTL_NEXT=run `benchctl apply` on the host, which says why", "BENCHCTL_SINCE=2026-11-23T12:00:00Z",
		"https_proxy=http://proxy:3128",
	}
	if !slices.Equal(cmd.Env, want) || !slices.Equal(cmd.Argv, []string{program}) || cmd.Dir != "/" || cmd.User != nil {
		t.Errorf("it ran %+v\nwant the environment %q", cmd, want)
	}
	var n notify.Notice
	if err := json.Unmarshal(cmd.Stdin, &n); err != nil || n.Cause != "failed/cpufreq" || n.State != notify.Firing || n.Host != "bench7" {
		t.Errorf("on standard input: %s", cmd.Stdin)
	}
}

// In a sandbox, systemd runs the program, and everybody can read how it is run.
func TestACommandOutOfASandbox(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.opt.Confined = true
	d.opt.Getenv = func(name string) string {
		return map[string]string{"https_proxy": "http://me:s3cret@proxy:3128", "no_proxy": "localhost"}[name]
	}
	var cmd host.Command
	d.OnRun = func(c host.Command) (host.Output, error) {
		cmd = c
		return d.program(c)
	}
	d.wants(0, report("apply", "cpufreq=failed"), "firing failed/cpufreq")
	if !slices.Contains(d.Writes, "unit benchctl-notify.service") {
		t.Errorf("it was run by %q", d.Writes)
	}
	if env := strings.Join(cmd.Env, " "); strings.Contains(env, "s3cret") || !strings.Contains(env, "no_proxy=localhost") {
		t.Errorf("its environment is %s", env)
	}
}

// Root runs nothing that somebody else could have written, or could swap.
func TestACommandThatIsNotTrusted(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil func(*desk)
		says  string
	}{
		"missing":           {func(d *desk) { d.must(d.Remove(program)) }, "there is no such file; correct notify.command"},
		"a directory":       {func(d *desk) { d.must(d.Remove(program)); d.must(d.Mkdir(program, host.Perm{Mode: 0o755})) }, "it is a directory; correct notify.command"},
		"not executable":    {func(d *desk) { d.must(d.SetPerm(program, host.Perm{Mode: 0o644})) }, "it is not executable; run `chmod 755 " + program + "`"},
		"written by others": {func(d *desk) { d.must(d.SetPerm(program, host.Perm{Mode: 0o777})) }, "it is not trusted: " + program + " can be written by others than root (-rwxrwxrwx); make both root's alone"},
		"somebody's":        {func(d *desk) { d.must(d.SetPerm(program, host.Perm{Mode: 0o755, UID: 1000})) }, "it is not trusted: " + program + " belongs to uid 1000"},
		"in an open directory": {func(d *desk) { d.must(d.SetPerm("/usr/local/sbin", host.Perm{Mode: 0o777})) },
			"it is not trusted: /usr/local/sbin can be written by others than root (-rwxrwxrwx), who"},
		"a link to somebody's": {func(d *desk) {
			d.WriteFile("/home/ana/tell", "#!/bin/sh\n")
			d.must(d.SetPerm("/home/ana", host.Perm{Mode: 0o755, UID: 1000}))
			d.must(d.Symlink("/home/ana/tell", program))
		}, "it is not trusted: /home/ana belongs to uid 1000"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t)
			c.spoil(d)
			_, problems := d.pass(0, report("apply", "cpufreq=failed"))
			says, _, _ := strings.Cut(c.says, ", who")
			if len(problems) != 1 || !strings.Contains(problems[0].Error(), "cannot tell notify.command "+program+": "+says) {
				t.Errorf("problems: %v\nwant: %s", problems, c.says)
			}
			if len(d.Ran) > 0 {
				t.Errorf("it ran %q", d.Ran)
			}
		})
	}
	d := newDesk(t)
	d.WriteFile("/opt/tell", "#!/bin/sh\n")
	d.must(d.SetPerm("/opt/tell", host.Perm{Mode: 0o755}))
	d.must(d.Symlink("/opt/tell", program))
	d.wants(0, report("apply", "cpufreq=failed"), "firing failed/cpufreq")
}
