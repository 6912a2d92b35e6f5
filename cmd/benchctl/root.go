package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/SKaiNET-developers/benchctl/internal/standin/runner"
	"github.com/SKaiNET-developers/benchctl/reconcile"
	"github.com/SKaiNET-developers/benchctl/spec"
)

const exitCodes = `Exit codes:
  0  in step, or done
  1  an error: what failed, on what, and what to do next
  2  not as wanted: something differs, or is not as it should be
  3  deferred: a job is running (or paused), and nothing was touched
`

// flags are those that every verb has.
type flags struct {
	files   []string // the spec, as named or by default
	output  string
	only    []string
	offline bool
	verbose bool
	quiet   bool
	noColor bool
}

// run is the program: args as the kernel handed them over, an exit code back.
func run(ctx context.Context, e *env, args []string) int {
	if name := filepath.Base(args[0]); slices.Contains(runner.Names, name) {
		// A rehearsal's runner package carries this binary under the names of
		// the runner's own programs.
		return runner.Main(name, args[1:])
	}
	cobra.EnableCommandSorting = false // the order of verbs is meant
	root := newRoot(e)
	root.SetArgs(args[1:])
	root.SetIn(e.stdin)
	root.SetOut(e.stdout)
	root.SetErr(e.stderr)
	err := root.ExecuteContext(ctx)
	var code exitError
	if errors.As(err, &code) {
		return code.code
	}
	if err != nil {
		complain(e.stderr, unknownVerb(root, err))
		return reconcile.ExitError
	}
	return reconcile.ExitOK
}

// unknownVerb says cobra's error of that name as ours are said, with a next step.
func unknownVerb(root *cobra.Command, err error) error {
	var name string
	if n, _ := fmt.Sscanf(err.Error(), "unknown command %q", &name); n == 0 {
		return err
	}
	hint := "benchctl --help lists the verbs"
	if near := root.SuggestionsFor(name); len(near) > 0 {
		hint = "did you mean " + strings.Join(near, " or ") + "? " + hint
	}
	return fmt.Errorf("unknown command %q; %s", name, hint)
}

// exitError ends a verb whose answer is already printed.
type exitError struct{ code int }

func (e exitError) Error() string { return fmt.Sprintf("exit status %d", e.code) }

// exit turns an exit code into what RunE returns.
func exit(code int) error {
	if code == reconcile.ExitOK {
		return nil
	}
	return exitError{code}
}

// complain is the one place that prints an error, in which a server or whoever
// names a directory may have had a say: it does not speak to the terminal, and no
// line but the first looks like benchctl's own. Problems of a spec carry their own
// places and are printed as they are.
func complain(w interface{ Write([]byte) (int, error) }, err error) {
	var problems spec.Problems
	if errors.As(err, &problems) {
		fmt.Fprintln(w, problems)
		return
	}
	fmt.Fprintln(w, "benchctl:", strings.TrimPrefix(indent(err.Error()), "  "))
}

func newRoot(e *env) *cobra.Command {
	f := &flags{}
	root := &cobra.Command{
		Use:   "benchctl",
		Short: "Make, keep and prove a benchmark host",
		Long: `benchctl makes this machine the benchmark host that a runner.yaml describes: a
self-hosted GitHub Actions runner whose state is the quality of its numbers.

Start with "benchctl rehearse": it tries everything on a throwaway copy of this
machine and changes nothing.

A spec, after -f, is a path, - for the standard input, a URL with https, or
github.com/OWNER/REPO/PATH@REF. Several are laid one over the other: mappings
merge, anything else is replaced by the later one.`,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	share(root, f)
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error {
		if err := refuse(cmd); err != nil {
			return err
		}
		f.files = filesOr(e, f.files)
		if f.output != "text" && f.output != "json" {
			return fmt.Errorf("cannot print %q: --output is text or json", f.output)
		}
		return nil
	}
	root.Version = version
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return fmt.Errorf("%w; see %s --help", err, cmd.CommandPath())
	})
	root.SetUsageTemplate(root.UsageTemplate() + "\n" + exitCodes)
	addVerbs(root, e, f)
	return root
}

// share gives every verb the flags that most of them take.
func share(root *cobra.Command, f *flags) {
	p := root.PersistentFlags()
	p.StringArrayVarP(&f.files, "file", "f", nil, "a `FILE` of the spec; later ones win (default "+defaultFile+")")
	_ = root.MarkPersistentFlagFilename("file", "yaml", "yml")
	p.StringVarP(&f.output, "output", "o", "text", "the `FORMAT` of the answer: text or json")
	p.StringSliceVar(&f.only, "only", nil, "look only at these `KINDS`, such as user,service")
	p.BoolVar(&f.offline, "offline", false, "never talk to GitHub")
	p.BoolVarP(&f.verbose, "verbose", "v", false, "show what is in step, too")
	p.BoolVarP(&f.quiet, "quiet", "q", false, "print only the answer and errors")
	p.BoolVar(&f.noColor, "no-color", false, "no colours (so does NO_COLOR)")
}

// addVerbs adds each verb to its group, and has help refuse what is none.
func addVerbs(root *cobra.Command, e *env, f *flags) {
	for _, g := range verbs {
		if g.title != "" {
			root.AddGroup(&cobra.Group{ID: g.title, Title: g.title})
		}
		for _, verb := range g.verbs {
			cmd := verb(e, f)
			cmd.GroupID = g.title
			hide(cmd, root.PersistentFlags())
			root.AddCommand(cmd)
		}
	}
	root.InitDefaultHelpCmd()
	if help, _, err := root.Find([]string{"help"}); err == nil {
		help.Args = func(_ *cobra.Command, args []string) error { // cobra would end with 0
			_, _, err := root.Find(args)
			return err
		}
	}
}

// noArgs refuses arguments, and knows what people mean by one.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return fmt.Errorf("cannot take the argument %q: a spec is named with -f, as in %s -f %s", args[0], cmd.CommandPath(), args[0])
}

// A group is verbs that belong together in the list of --help.
type group struct {
	title string
	verbs []func(*env, *flags) *cobra.Command
}

// verbs is every verb there is, in the order of a host's life.
var verbs = []group{
	{"Before anything is touched:", []func(*env, *flags) *cobra.Command{newSchema, newImport, newValidate, newDoctor, newRehearse}},
	{"Bring a host into step:", []func(*env, *flags) *cobra.Command{newDiff, newApply, newRotate, newRevert, newRemove}},
	{"Live with it:", []func(*env, *flags) *cobra.Command{newStatus, newDispatch, newPause, newResume}},
	{"What units and hooks call:", []func(*env, *flags) *cobra.Command{newAgent, newReady, newGate}},
	{"", []func(*env, *flags) *cobra.Command{newPass, newFetch, newGuard, newRelay, newMan, newUnits, newVersion}},
}
