package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/SKaiNET-developers/benchctl/examples"
	"github.com/SKaiNET-developers/benchctl/internal/source"
	"github.com/SKaiNET-developers/benchctl/reconcile"
	"github.com/SKaiNET-developers/benchctl/schema"
	"github.com/SKaiNET-developers/benchctl/spec"
)

func newValidate(e *env, f *flags) *cobra.Command {
	var print bool
	cmd := &cobra.Command{
		Annotations: takes("file", "output", "offline", "quiet"),
		Use:         "validate",
		Short:       "Check a spec and show every problem in it",
		Long: `Check a spec without looking at the host: every problem at once, each with its
file, its line, its column and a next step. Warnings do not change the exit code.
--print shows what several files are together.`,
		Example: `  benchctl validate -f runner.yaml
  benchctl validate -f base.yaml -f this-host.yaml --print
  benchctl validate -f github.com/octo/bench-hosts/base.yaml@main`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return validate(cmd.Context(), e, f, print) },
	}
	cmd.Flags().BoolVar(&print, "print", false, "print the spec, of several files the result")
	return cmd
}

func validate(ctx context.Context, e *env, f *flags, print bool) error {
	s, err := load(ctx, e, f)
	var problems spec.Problems
	if err != nil && !errors.As(err, &problems) {
		return err
	}
	if s != nil {
		problems = s.Warnings
	}
	if f.output == "json" {
		err = printJSON(e, verdict(f, s, problems, print))
	} else {
		err = tellVerdict(e, f, s, problems, print)
	}
	if err == nil && s == nil {
		return exit(reconcile.ExitError)
	}
	return err
}

// verdict is the answer as JSON.
func verdict(f *flags, s *spec.Spec, problems spec.Problems, print bool) map[string]any {
	v := map[string]any{"file": f.names(), "valid": s != nil, "problems": append(spec.Problems{}, problems...)}
	if s != nil {
		v["sha256"] = s.SHA256
	}
	if s != nil && print {
		v["text"] = string(s.Text)
	}
	return v
}

// tellVerdict is the answer as text: the problems, unless the spec is asked for.
func tellVerdict(e *env, f *flags, s *spec.Spec, problems spec.Problems, print bool) error {
	answer := e.stdout
	if print {
		answer = e.stderr
	}
	if len(problems) > 0 {
		fmt.Fprintln(answer, problems)
	}
	if s == nil {
		return nil
	}
	if print {
		_, err := e.stdout.Write(s.Text)
		return err
	}
	switch {
	case f.quiet:
	case len(f.files) > 1:
		fmt.Fprintf(e.stderr, "%s are valid together.\n", f.names())
	case f.files[0] == source.Stdin:
		fmt.Fprintln(e.stderr, "Standard input is valid.")
	default:
		fmt.Fprintf(e.stderr, "%s is valid.\n", f.names())
	}
	return nil
}

func newSchema(e *env, _ *flags) *cobra.Command {
	var example bool
	cmd := &cobra.Command{
		Annotations: takes(),
		Use:         "schema",
		Short:       "Print the JSON schema of runner.yaml, or an example",
		Long: `Print the JSON schema of runner.yaml: every key with its description, for an
editor's completion and for reading. With --example, print a runner.yaml to begin
with.`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			text := schema.JSON()
			if example {
				text = examples.Minimal()
			}
			_, err := e.stdout.Write(text)
			return err
		},
	}
	cmd.Flags().BoolVar(&example, "example", false, "print the least runner.yaml instead")
	return cmd
}

func printJSON(e *env, v any) error {
	enc := json.NewEncoder(e.stdout)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}
