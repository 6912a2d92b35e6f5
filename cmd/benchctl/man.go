package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/cpuguy83/go-md2man/v2/md2man"
	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"github.com/SKaiNET-developers/benchctl/schema"
)

// newMan writes the manual: a page for each verb, out of what --help says, and
// one for runner.yaml, out of its schema. It is for whoever makes a package.
func newMan(*env, *flags) *cobra.Command {
	return &cobra.Command{
		Use:    "man DIRECTORY",
		Short:  "Write the manual pages into a directory",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE:   func(cmd *cobra.Command, args []string) error { return man(cmd.Root(), args[0]) },
	}
}

func man(root *cobra.Command, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("cannot write the manual: %w", err)
	}
	root.DisableAutoGenTag = true
	// The date is that of the source, so that the same source makes the same pages.
	_, built := build()
	date, _ := time.Parse(time.RFC3339, built)
	head := &doc.GenManHeader{Section: "1", Source: "benchctl " + version, Manual: "benchctl", Date: &date}
	if err := doc.GenManTree(root, head, dir); err != nil {
		return fmt.Errorf("cannot write the manual: %w", err)
	}
	page, err := specPage(date)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "runner.yaml.5"), page, 0o644); err != nil {
		return fmt.Errorf("cannot write the manual: %w", err)
	}
	return nil
}

// described is what the manual takes from a schema.
type described struct {
	Title, Description string
	Default            any
	Examples, Enum     []any
	Properties         map[string]described
}

// specPage is runner.yaml(5).
func specPage(date time.Time) ([]byte, error) {
	var top described
	if err := json.Unmarshal(schema.JSON(), &top); err != nil {
		return nil, fmt.Errorf("cannot read the schema: %w", err)
	}
	var text strings.Builder
	fmt.Fprintf(&text, "%% %q %q %q %q %q\n# NAME\nrunner.yaml - what a benchmark host must be\n\n# DESCRIPTION\n%s\n\n# KEYS\n",
		"RUNNER.YAML", "5", date.Format("Jan 2006"), "benchctl "+version, "benchctl", top.Description)
	top.write(&text, "")
	text.WriteString("\n# SEE ALSO\n\nbenchctl(1), benchctl-validate(1)\n")
	return md2man.Render([]byte(text.String())), nil
}

// write tells of every key below a path, in order.
func (d described) write(text *strings.Builder, path string) {
	for _, key := range slices.Sorted(maps.Keys(d.Properties)) {
		p, name := d.Properties[key], path+key
		fmt.Fprintf(text, "\n**%s**\n:   %s", name, strings.ReplaceAll(p.Description, "*", `\*`))
		if p.Enum != nil {
			fmt.Fprintf(text, " One of %s.", words(p.Enum))
		}
		if p.Default != nil {
			fmt.Fprintf(text, " Default: `%v`.", p.Default)
		}
		if p.Examples != nil {
			fmt.Fprintf(text, " For example `%v`.", p.Examples[0])
		}
		text.WriteString("\n")
		p.write(text, name+".")
	}
}

func words(list []any) string {
	all := make([]string, len(list))
	for i, w := range list {
		all[i] = fmt.Sprint(w)
	}
	return strings.Join(all, ", ")
}
