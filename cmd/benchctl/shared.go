package main

import (
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Shared flags may be typed before the verb and after it, so cobra knows them for
// every verb. A verb that has no use for one says so here: its help leaves the flag
// out, and --only that goes unheeded would be worse than an error.

// sharing is what a verb says of the shared flags, kept as its annotations: the
// names of those that it takes, and why it refuses others.
type sharing map[string]string

// taken marks a flag as one that the verb takes.
const taken = "taken"

// takes are the annotations of a verb that takes these of the shared flags.
func takes(names ...string) sharing {
	s := sharing{"shares": taken}
	for _, name := range names {
		s["--"+name] = taken
	}
	return s
}

// but has a verb refuse a flag in its own words.
func (s sharing) but(name, why string) sharing {
	s["--"+name] = why
	return s
}

// harmless are the flags that go unheeded without misleading anybody.
var harmless = []string{"quiet", "verbose", "no-color"}

// heeds reports whether a verb takes a shared flag. One that says nothing of them
// takes all, and the root does, for its help lists them.
func heeds(cmd *cobra.Command, name string) bool {
	return cmd.Annotations["shares"] != taken || cmd.Annotations["--"+name] == taken
}

// refuse is the error of a verb that was given a flag which it does not heed.
func refuse(cmd *cobra.Command) (err error) {
	shared := cmd.Root().PersistentFlags()
	cmd.Flags().Visit(func(flag *pflag.Flag) {
		if shared.Lookup(flag.Name) == nil || heeds(cmd, flag.Name) || slices.Contains(harmless, flag.Name) || err != nil {
			return
		}
		if flag.Value.String() == flag.DefValue {
			return // --offline=false is as good as nothing
		}
		if why := cmd.Annotations["--"+flag.Name]; why != "" {
			err = errors.New(why)
			return
		}
		err = fmt.Errorf("%s has no use for --%s; leave it out, or see %[1]s --help", cmd.CommandPath(), flag.Name)
	})
	return err
}

// hide gives a verb a copy of each shared flag that it does not take, for its help,
// its completion and its manual to leave out. What is typed is parsed all the same.
func hide(cmd *cobra.Command, shared *pflag.FlagSet) {
	shared.VisitAll(func(flag *pflag.Flag) {
		if !heeds(cmd, flag.Name) {
			hidden := *flag
			hidden.Hidden = true
			cmd.Flags().AddFlag(&hidden)
		}
	})
}
