// Package workflow reads a workflow file as far as it says what starts it and
// where its jobs want to run. Anyone may have written the file.
package workflow

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// Dispatch is the trigger by which a person, or a program, starts a workflow, and
// call the one by which a job of another does.
const (
	Dispatch = "workflow_dispatch"
	call     = "workflow_call"
)

// A Workflow is one file (docs.github.com: workflow syntax for GitHub Actions).
type Workflow struct {
	Triggers []string // what starts it, as it stands below `on`
	Inputs   []Input  // of [Dispatch], by name
	Jobs     []Job    // by name
}

// A Job is one job of a workflow, as far as it says where it wants to run.
type Job struct {
	Name    string // its key below `jobs`
	Labels  []string
	Group   string // "" is any
	Dynamic string // an expression that only a run resolves
	Calls   string // the workflow that it calls, which says where; "" for none
}

// Parse reads the text of a workflow.
func Parse(text []byte) (w Workflow, err error) {
	defer func() {
		// The library ends a few hostile inputs with a panic.
		if recover() != nil {
			w, err = Workflow{}, errors.New("it is not YAML")
		}
	}()
	var file struct {
		On   yaml.Node `yaml:"on"`
		Jobs map[string]struct {
			Uses   string    `yaml:"uses"`
			RunsOn yaml.Node `yaml:"runs-on"`
		} `yaml:"jobs"`
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		return Workflow{}, errors.New("it is not a workflow")
	}
	w = Workflow{Triggers: words(&file.On), Inputs: inputs(&file.On)}
	for name, j := range file.Jobs {
		job := Job{Name: name, Calls: j.Uses}
		job.where(&j.RunsOn)
		w.Jobs = append(w.Jobs, job)
	}
	slices.SortFunc(w.Jobs, func(a, b Job) int { return strings.Compare(a.Name, b.Name) })
	return w, nil
}

// Dispatchable reports whether it can be started by hand.
func (w Workflow) Dispatchable() bool { return slices.Contains(w.Triggers, Dispatch) }

// where reads runs-on in each of its forms.
func (j *Job) where(n *yaml.Node) {
	if n = target(n); n.Kind != yaml.MappingNode {
		j.Labels = words(n)
	} else {
		var long struct {
			Group  string    `yaml:"group"`
			Labels yaml.Node `yaml:"labels"`
		}
		_ = n.Decode(&long) // what is of another kind is nothing that a runner has
		j.Group, j.Labels = long.Group, words(&long.Labels)
	}
	for _, word := range append([]string{j.Group}, j.Labels...) {
		if strings.Contains(word, "${{") {
			j.Dynamic = word
		}
	}
}

// Lacks lists the labels of a job that a runner has not. GitHub compares them
// without regard to case.
func (j Job) Lacks(have []string) []string {
	return slices.DeleteFunc(slices.Clone(j.Labels), func(label string) bool { return contains(have, label) })
}

// Meant reports whether a job asks for a runner of one's own, or for one of the
// labels that are special to the runner that has these.
func (j Job) Meant(have []string) bool {
	return slices.ContainsFunc(j.Labels, func(label string) bool {
		return strings.EqualFold(label, "self-hosted") || !contains(common, label) && contains(have, label)
	})
}

// common are labels that say nothing about which machine is meant.
var common = []string{"Linux", "X64", "x86_64"}

// foreign are the triggers that somebody from outside can pull. Those of a review
// run the code of the pull request, as pull_request does.
var foreign = []string{
	"pull_request", "pull_request_target", "pull_request_review", "pull_request_review_comment", "issue_comment", "issues",
	"workflow_run", "discussion", "discussion_comment", "fork", "gollum", "watch",
}

// Foreign are the triggers by which somebody from outside can start a job with
// code of his own, or with secrets beside it.
func (w Workflow) Foreign() []string {
	return slices.DeleteFunc(slices.Clone(w.Triggers), func(t string) bool { return !slices.Contains(foreign, t) })
}

// Inherit gives each workflow of a repository, by its path, the triggers of those
// whose jobs call it, over however many others: what starts them starts its jobs.
func Inherit(all map[string]*Workflow) {
	for grew := true; grew; {
		grew = false
		for _, path := range slices.Sorted(maps.Keys(all)) {
			w := all[path]
			for _, j := range w.Jobs {
				called := all[j.Local()]
				if called == nil || !slices.Contains(called.Triggers, call) {
					continue
				}
				for _, t := range w.Triggers {
					if !slices.Contains(called.Triggers, t) {
						called.Triggers, grew = append(called.Triggers, t), true
					}
				}
			}
		}
	}
}

// Local is the path of the workflow that a job calls in its own repository, ""
// when it calls none there.
func (j Job) Local() string {
	path, ok := strings.CutPrefix(j.Calls, "./")
	if !ok {
		return ""
	}
	return path
}

func contains(list []string, word string) bool {
	return slices.ContainsFunc(list, func(w string) bool { return strings.EqualFold(w, word) })
}

// words are a scalar, the items of a list, or the keys of a mapping.
func words(n *yaml.Node) []string {
	var all []string
	switch n = target(n); n.Kind {
	case yaml.ScalarNode:
		if n.Tag != "!!null" {
			all = append(all, n.Value)
		}
	case yaml.SequenceNode:
		for _, c := range n.Content {
			all = append(all, target(c).Value)
		}
	case yaml.MappingNode:
		for i := 0; i < len(n.Content); i += 2 {
			all = append(all, n.Content[i].Value)
		}
	}
	return all
}

// target is what an alias stands for.
func target(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode && n.Alias != nil {
		return n.Alias
	}
	return n
}
