package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/SKaiNET-developers/benchctl/internal/doctor"
	"github.com/SKaiNET-developers/benchctl/reconcile"
	"github.com/SKaiNET-developers/benchctl/spec"
)

func newDoctor(e *env, f *flags) *cobra.Command {
	var repo string
	cmd := &cobra.Command{
		Annotations: takes("file", "output", "offline", "quiet", "no-color"),
		Use:         "doctor",
		Short:       "Look for what would keep this host from measuring well",
		Long: `Look for what would keep this host from being a good benchmark host, before
anything is touched: the machine and its release, disk, clock, frequency driver
and rival daemons, power, the JDK and PTS as the service sees them, how long
GitHub serves this runner version, which workflow jobs can reach the runner and
on which triggers, and every destination on the network that it needs.

One line each, and the next step where one is due. Nothing is changed. The exit
code is 2 when something is not as wanted; what cannot be seen is unknown, and
does not count. The runner of an organization or an enterprise serves many
repositories: --repo says whose workflows to look through.`,
		Example: `  benchctl doctor -f runner.yaml
  benchctl doctor --offline
  benchctl doctor --repo octo/engine -o json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return examine(cmd.Context(), e, f, repo) },
	}
	cmd.Flags().StringVar(&repo, "repo", "", "look through the workflows of `OWNER/NAME` (default: the repository of runner.url)")
	return cmd
}

func examine(ctx context.Context, e *env, f *flags, repo string) error {
	s, err := load(ctx, e, f)
	if err != nil {
		return err
	}
	w, err := wire(e, f, s, applyFlags{})
	if err != nil {
		return err
	}
	defer w.close()
	d := &doctor.Doctor{
		Host: e.machine, Spec: s, Root: os.Geteuid() == 0, Now: time.Now(), Systemd: e.machine.SystemdVersion(),
		Labels:   append([]string{"self-hosted", "Linux", "X64"}, s.Runner.Labels...),
		Outcomes: reconcile.Diff(ctx, e.machine, w.usedByJobs()),
	}
	if w.client != nil {
		d.GitHub = w.client
		if repo != "" || s.Runner.URL.Scope == spec.Repository {
			at, err := repositoryOf(s.Runner.URL, repo)
			if err != nil {
				return err
			}
			d.Repository = w.client.For(at)
		}
		d.Net = &doctor.Net{Proxy: http.ProxyFromEnvironment}
	}
	report := d.Examine(ctx)
	if f.output == "json" {
		err = printJSON(e, report)
	} else {
		newPrinter(e, f).examined(report)
	}
	if err == nil && !report.Sound() {
		err = exit(reconcile.ExitDiffers)
	}
	return err
}

// usedByJobs are the resources that a job runs with.
func (w *wired) usedByJobs() []reconcile.Resource {
	return slices.DeleteFunc(slices.Clone(w.resources), func(r reconcile.Resource) bool {
		return !slices.Contains([]string{"packages", "jdk", "pts"}, r.ID().Kind)
	})
}

// verdictColours are for those that want to be seen.
var verdictColours = map[doctor.Verdict]colour{doctor.Warning: bold, doctor.Error: red}

// examined prints a doctor's report, group by group, and the sum at the end.
func (p *printer) examined(r *doctor.Report) {
	count := map[doctor.Verdict]int{}
	group := ""
	for _, c := range r.Checks {
		count[c.Verdict]++
		if c.Group != group {
			group = c.Group
			fmt.Fprintln(p.w, p.paint(bold, group))
		}
		verdict := fmt.Sprintf("%-7s", c.Verdict)
		if hue := verdictColours[c.Verdict]; hue != "" {
			verdict = p.paint(hue, verdict)
		}
		fmt.Fprintf(p.w, "  %s  %s: %s\n", verdict, clean(c.Name), clean(c.Says))
		if c.Next != "" && c.Verdict != doctor.OK {
			fmt.Fprintf(p.w, "           %s\n", clean(c.Next))
		}
	}
	var sum []string
	for _, v := range []doctor.Verdict{doctor.Error, doctor.Warning, doctor.Unknown, doctor.OK} {
		if n := count[v]; n > 0 {
			word := string(v)
			if n > 1 && (v == doctor.Error || v == doctor.Warning) {
				word += "s"
			}
			sum = append(sum, fmt.Sprintf("%d %s", n, word))
		}
	}
	fmt.Fprintln(p.w, strings.Join(sum, ", "))
}
