package main

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/SKaiNET-developers/benchctl/reconcile"
	"github.com/SKaiNET-developers/benchctl/schema"
	"github.com/SKaiNET-developers/benchctl/spec"
)

func newValidate(e *env, f *flags) *cobra.Command {
	return &cobra.Command{
		Use:   "validate",
		Short: "Check a spec and show every problem in it",
		Long: `Check a spec without looking at the host: every problem at once, each with its
line, its column and a next step. Warnings do not change the exit code.`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error { return validate(e, f) },
	}
}

func validate(e *env, f *flags) error {
	s, err := load(e, f.file)
	var problems spec.Problems
	if err != nil && !errors.As(err, &problems) {
		return err
	}
	if s != nil {
		problems = s.Warnings
	}
	if f.output == "json" {
		err = printJSON(e, map[string]any{"file": f.file, "valid": s != nil, "problems": append(spec.Problems{}, problems...)})
	} else if len(problems) > 0 {
		fmt.Fprintln(e.stdout, problems)
	}
	if err != nil && f.output == "json" {
		return err
	}
	if s == nil {
		return exit(reconcile.ExitError)
	}
	if f.output == "text" && !f.quiet {
		name := f.file
		if name == "-" {
			name = "Standard input"
		}
		fmt.Fprintf(e.stderr, "%s is valid.\n", name)
	}
	return nil
}

func newSchema(e *env, _ *flags) *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON schema of runner.yaml",
		Long: `Print the JSON schema of runner.yaml: every key with its description, for an
editor's completion and for reading.`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := e.stdout.Write(schema.JSON())
			return err
		},
	}
}

func printJSON(e *env, v any) error {
	enc := json.NewEncoder(e.stdout)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}
