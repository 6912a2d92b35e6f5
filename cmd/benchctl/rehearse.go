package main

import (
	"errors"

	"github.com/spf13/cobra"
)

func newRehearse(*env, *flags) *cobra.Command {
	return &cobra.Command{Use: "rehearse", RunE: func(*cobra.Command, []string) error { return errors.New("soon") }}
}
