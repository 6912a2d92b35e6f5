package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version is set at link time for a release.
var version = "development"

func newVersion(e *env, f *flags) *cobra.Command {
	return &cobra.Command{
		Annotations: takes("output"),
		Use:         "version",
		Short:       "Print the version, the commit and how it was built",
		Args:        noArgs,
		RunE: func(*cobra.Command, []string) error {
			commit, at := build()
			if f.output == "json" {
				return printJSON(e, map[string]string{"version": version, "commit": commit, "time": at, "go": runtime.Version()})
			}
			fmt.Fprintf(e.stdout, "benchctl %s (commit %s, %s, %s)\n", version, commit, at, runtime.Version())
			return nil
		},
	}
}

// build is the commit and its time as the go command stamped them.
func build() (commit, at string) {
	commit, at = "unknown", "unknown time"
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return commit, at
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			commit = s.Value[:min(12, len(s.Value))]
		case "vcs.time":
			at = s.Value
		}
	}
	return commit, at
}
