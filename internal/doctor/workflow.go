package doctor

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/SKaiNET-developers/benchctl/internal/github/actions"
)

// A workJob is one job of a workflow, as far as it says where it wants to run
// (docs.github.com: workflow syntax, on, jobs.<job_id>.runs-on).
type workJob struct {
	file     string
	name     string
	triggers []string
	labels   []string
	group    string // "" is any
	dynamic  string // an expression that only a run resolves
}

func (j workJob) String() string { return fmt.Sprintf("job %s of %s", j.name, j.file) }

// parseWorkflow reads the jobs of one file, which anyone may have written.
func parseWorkflow(f actions.File) (jobs []workJob, err error) {
	defer func() {
		// The library ends a few hostile inputs with a panic.
		if recover() != nil {
			jobs, err = nil, errors.New("it is not YAML")
		}
	}()
	var flow struct {
		On   yaml.Node `yaml:"on"`
		Jobs map[string]struct {
			RunsOn yaml.Node `yaml:"runs-on"`
		} `yaml:"jobs"`
	}
	if err := yaml.Unmarshal(f.Text, &flow); err != nil {
		return nil, errors.New("it is not a workflow")
	}
	triggers := words(&flow.On)
	for name, j := range flow.Jobs {
		if j.RunsOn.IsZero() {
			continue // it calls another workflow, which says where
		}
		job := workJob{file: f.Path, name: name, triggers: triggers}
		job.where(&j.RunsOn)
		jobs = append(jobs, job)
	}
	slices.SortFunc(jobs, func(a, b workJob) int { return strings.Compare(a.name, b.name) })
	return jobs, nil
}

// where reads runs-on in each of its forms.
func (j *workJob) where(n *yaml.Node) {
	if n.Kind != yaml.MappingNode {
		j.labels = words(n)
	} else {
		var long struct {
			Group  string    `yaml:"group"`
			Labels yaml.Node `yaml:"labels"`
		}
		_ = n.Decode(&long) // what is of another kind is nothing that a runner has
		j.group, j.labels = long.Group, words(&long.Labels)
	}
	for _, word := range append([]string{j.group}, j.labels...) {
		if strings.Contains(word, "${{") {
			j.dynamic = word
		}
	}
}

// words are a scalar, the items of a list, or the keys of a mapping.
func words(n *yaml.Node) []string {
	var all []string
	switch n.Kind {
	case yaml.ScalarNode:
		all = append(all, n.Value)
	case yaml.SequenceNode:
		for _, c := range n.Content {
			all = append(all, c.Value)
		}
	case yaml.MappingNode:
		for i := 0; i < len(n.Content); i += 2 {
			all = append(all, n.Content[i].Value)
		}
	}
	return all
}

// lacks lists the labels of a job that the runner has not. GitHub compares them
// without regard to case.
func lacks(j workJob, have []string) []string {
	return slices.DeleteFunc(slices.Clone(j.labels), func(label string) bool {
		return slices.ContainsFunc(have, func(h string) bool { return strings.EqualFold(h, label) })
	})
}

// foreign are the triggers by which somebody from outside can start a job with
// code of his own, or with secrets beside it.
func (j workJob) foreign() []string {
	return slices.DeleteFunc(slices.Clone(j.triggers), func(t string) bool {
		return !slices.Contains([]string{"pull_request", "pull_request_target", "issue_comment", "issues", "workflow_run", "discussion", "discussion_comment", "fork", "watch"}, t)
	})
}

// meant reports whether a job asks for a runner of one's own, or for one of the
// labels that are special to this one.
func (j workJob) meant(have []string) bool {
	return slices.ContainsFunc(j.labels, func(label string) bool {
		return strings.EqualFold(label, "self-hosted") ||
			!slices.ContainsFunc(common, func(c string) bool { return strings.EqualFold(c, label) }) && slices.ContainsFunc(have, func(h string) bool { return strings.EqualFold(h, label) })
	})
}

// common are labels that say nothing about which machine is meant.
var common = []string{"Linux", "X64", "x86_64"}
