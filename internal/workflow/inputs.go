package workflow

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// An Input is what a workflow may be given when it is started by hand.
type Input struct {
	Name     string
	Type     string // string, boolean, choice, number or environment; "" is string
	Required bool
	Default  bool // it has one
	Options  []string
}

// mostInputs is how many GitHub takes (its description of the API).
const mostInputs = 25

// inputs reads those of workflow_dispatch. What is of another kind than it
// should be is left to GitHub to refuse.
func inputs(on *yaml.Node) []Input {
	var triggers map[string]yaml.Node
	if target(on).Decode(&triggers) != nil {
		return nil
	}
	dispatch, there := triggers[Dispatch]
	if !there {
		return nil
	}
	var body struct {
		Inputs map[string]yaml.Node `yaml:"inputs"`
	}
	if target(&dispatch).Decode(&body) != nil {
		return nil
	}
	var all []Input
	for name, node := range body.Inputs {
		var said struct {
			Type     string    `yaml:"type"`
			Required bool      `yaml:"required"`
			Default  yaml.Node `yaml:"default"`
			Options  yaml.Node `yaml:"options"`
		}
		_ = target(&node).Decode(&said)
		all = append(all, Input{
			Name: name, Type: said.Type, Required: said.Required, Default: !said.Default.IsZero(), Options: words(&said.Options),
		})
	}
	slices.SortFunc(all, func(a, b Input) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// Problems are the reasons for which GitHub would refuse these inputs, or run
// the workflow with something that its author did not mean.
func (w Workflow) Problems(given map[string]string) (all []string) {
	known := map[string]Input{}
	for _, in := range w.Inputs {
		known[in.Name] = in
		if value, is := given[in.Name]; in.Required && !in.Default && (!is || value == "") {
			all = append(all, fmt.Sprintf("the input %s is required and not given", in.Name))
		}
	}
	for name, value := range given {
		if in, is := known[name]; !is {
			all = append(all, fmt.Sprintf("there is no input %s", name))
		} else if problem := in.problem(value); problem != "" {
			all = append(all, problem)
		}
	}
	if len(given) > mostInputs {
		all = append(all, fmt.Sprintf("%d inputs are given, and GitHub takes %d", len(given), mostInputs))
	}
	slices.Sort(all)
	return all
}

// problem says what is wrong with a value.
func (in Input) problem(value string) string {
	switch in.Type {
	case "boolean":
		if value != "true" && value != "false" {
			return fmt.Sprintf("the input %s is true or false, not %q", in.Name, value)
		}
	case "number":
		if _, err := strconv.ParseFloat(value, 64); err != nil {
			return fmt.Sprintf("the input %s is a number, not %q", in.Name, value)
		}
	case "choice":
		if len(in.Options) > 0 && !slices.Contains(in.Options, value) {
			return fmt.Sprintf("the input %s is one of %s, not %q", in.Name, strings.Join(in.Options, ", "), value)
		}
	}
	return ""
}
