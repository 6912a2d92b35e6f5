package resources

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/SKaiNET-developers/benchctl/internal/host"
)

// An aptPlan is what apt-get says that it would do.
type aptPlan struct {
	steps      []aptStep
	downgrades bool // something would go back to an older version
}

// An aptStep is one package of a plan.
type aptStep struct {
	Name     string
	Have     string // "" when the package is not there
	Want     string // "" when it would be removed
	Removing bool
}

// String says what would happen, as in "upgrade perl-base 5.36.0-7 to 5.36.0-8".
func (s aptStep) String() string {
	switch {
	case s.Removing:
		return "remove " + s.Name + " " + s.Have
	case s.Have == "":
		return "install " + s.Name + " " + s.Want
	case s.Have == s.Want:
		return "reinstall " + s.Name + " " + s.Want
	}
	return "change " + s.Name + " from " + s.Have + " to " + s.Want
}

// disturbs reports whether the step changes a package that is there already.
func (s aptStep) disturbs() bool { return s.Removing || s.Have != "" && s.Have != s.Want }

// simulate asks apt-get what it would do, and lets it do nothing.
func (a *Apt) simulate(ctx context.Context, h host.Host, args []string) (aptPlan, error) {
	argv := append([]string{"apt-get"}, aptOptions...)
	// Downgrades are shown only where they are allowed; permit judges them.
	argv = append(append(argv, "-s", "--allow-downgrades"), args...)
	out, err := h.Run(ctx, host.Command{Argv: argv, Env: aptEnv, Dir: "/"})
	if err != nil {
		return aptPlan{}, err
	}
	return parseAptPlan(string(out.Stdout)), nil
}

// parseAptPlan reads the lines of a simulation that matter:
//
//	Inst NAME [OLD] (NEW SOURCE [ARCH])
//	Remv NAME [OLD]
//
// Purg stands for Remv with the configuration gone too. "Inst" without [OLD] is
// a new package.
func parseAptPlan(text string) (plan aptPlan) {
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "The following packages will be DOWNGRADED:") {
			plan.downgrades = true
		}
		verb, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		if verb != "Inst" && verb != "Remv" && verb != "Purg" {
			continue
		}
		step := aptStep{Removing: verb != "Inst"}
		step.Name, rest, _ = strings.Cut(rest, " ")
		if inner, ok := strings.CutPrefix(rest, "["); ok {
			step.Have, rest, _ = strings.Cut(inner, "]")
		}
		if inner, ok := strings.CutPrefix(strings.TrimSpace(rest), "("); ok && !step.Removing {
			step.Want, _, _ = strings.Cut(inner, " ")
		}
		plan.steps = append(plan.steps, step)
	}
	return plan
}

// fresh are the packages that are not there yet.
func (p aptPlan) fresh() (names []string) {
	for _, step := range p.steps {
		if step.Have == "" && !step.Removing {
			names = append(names, step.Name)
		}
	}
	return names
}

// holds refuses a plan that lacks the one step it is made for.
func (p aptPlan) holds(must *aptStep) error {
	if must == nil {
		return nil
	}
	for _, step := range p.steps {
		if step.Name == must.Name && !step.Removing && upstream(step.Want) == must.Want {
			return nil
		}
	}
	return fmt.Errorf("cannot install %s %s: the file given for it is another package or version; check the spec's archive and version", must.Name, must.Want)
}

// permit refuses a plan that touches packages that nobody asked for.
func (a *Apt) permit(plan aptPlan, own []string) error {
	if a.AllowUpgrades {
		return nil
	}
	var refused []string
	for _, step := range plan.steps {
		if step.disturbs() && (step.Removing || !slices.Contains(own, step.Name)) {
			refused = append(refused, step.String())
		}
	}
	if len(refused) == 0 {
		return nil
	}
	return fmt.Errorf("cannot install packages: apt would also %s; look at the list, and allow it with --allow-upgrades or bring the host up to date first",
		strings.Join(refused, ", "))
}
