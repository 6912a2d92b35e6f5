package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/SKaiNET-developers/benchctl/resources"
)

// newUnits writes the agent's units, for whoever makes a package.
func newUnits(*env, *flags) *cobra.Command {
	return &cobra.Command{
		Use:    "units DIRECTORY",
		Short:  "Write the units of a packaged agent into a directory",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE:   func(_ *cobra.Command, args []string) error { return writeUnits(args[0]) },
	}
}

func writeUnits(dir string) error {
	units, err := resources.PackagedUnits()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("cannot write the units: %w", err)
	}
	for name, text := range units {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return fmt.Errorf("cannot write the units: %w", err)
		}
	}
	return nil
}
