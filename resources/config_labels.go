package resources

import (
	"slices"
	"strings"

	"github.com/SKaiNET-developers/benchctl/internal/github/actions"
)

// defaultLabels come with every registration on this architecture, in whatever
// case, and are read-only: config.sh gets the others alone. A spec that does
// not list them all is in step nevertheless; they are never taken away
// (--no-default-labels would, and every job that says self-hosted would wait
// for ever).
var defaultLabels = []string{"self-hosted", "linux", "x64"}

// labels compares a runner's labels with the spec: what it has and what it
// should have, in a stable order, and the custom labels to send. Labels of
// AllowLabels may be there or not.
func (c *Config) labels(at []actions.Label) (have, want string, send []string) {
	var present, kept []string
	for _, l := range at {
		name := plain(l.Name)
		present = append(present, name)
		switch {
		case contains(c.Labels, name):
		case l.ReadOnly():
			kept = append(kept, name)
		case contains(c.AllowLabels, name) || contains(defaultLabels, name): // that of a just-in-time registration may be custom
			kept = append(kept, name)
			send = append(send, name)
		}
	}
	for _, name := range c.Labels {
		if !slices.ContainsFunc(at, func(l actions.Label) bool { return l.ReadOnly() && strings.EqualFold(l.Name, name) }) {
			send = append(send, name)
		}
	}
	wanted := append(slices.Clone(c.Labels), kept...)
	return c.order(present), c.order(wanted), send
}

// order writes labels down: the spec's in the spec's order and spelling, then
// the others, sorted.
func (c *Config) order(names []string) string {
	var first, rest []string
	for _, name := range c.Labels {
		if contains(names, name) {
			first = append(first, name)
		}
	}
	for _, name := range names {
		if !contains(c.Labels, name) {
			rest = append(rest, name)
		}
	}
	slices.SortFunc(rest, func(a, b string) int { return strings.Compare(strings.ToLower(a), strings.ToLower(b)) })
	if len(first)+len(rest) == 0 {
		return "none"
	}
	return strings.Join(append(first, rest...), ", ")
}

// customLabels are the spec's labels that a registration has to name.
func (c *Config) customLabels() []string {
	var custom []string
	for _, name := range c.Labels {
		if !contains(defaultLabels, name) {
			custom = append(custom, name)
		}
	}
	return custom
}

func contains(names []string, name string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) })
}
