// Package metrics writes what benchctl knows of a host for Prometheus, as a file
// that node_exporter's textfile collector reads.
package metrics

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/deadline"
	"github.com/SKaiNET-developers/benchctl/internal/history"
	"github.com/SKaiNET-developers/benchctl/internal/host"
)

// A Snapshot is what the file is made of.
type Snapshot struct {
	Book    *history.Book
	Version string // of benchctl
	Commit  string
	Host    string
	Spec    string // SHA-256 of the text of the spec in force, in hex
	Now     time.Time
	NextRun time.Time // of the agent; zero without a schedule
	Support deadline.Support
	// Registers is whether GitHub would register the installed version anew; nil
	// where none is installed.
	Registers *bool
}

// A metric is a family of samples: a row in the file.
type metric struct {
	name, kind, help string
	samples          func(Snapshot) []sample
}

// A sample is one line of a metric.
type sample struct {
	labels []string // name, value, name, value ...
	value  float64
}

// metrics are all that there are; README.md and examples/alerts.yaml speak of
// them. Times are Unix times, so that a reader can tell how old they are even
// when nothing writes the file any more.
var metrics = []metric{
	{"benchctl_info", "gauge", "The benchctl that wrote this, always 1.", func(s Snapshot) []sample {
		return []sample{{[]string{"version", s.Version, "commit", s.Commit, "host", s.Host}, 1}}
	}},
	{"benchctl_spec_info", "gauge", "The spec that is in force, always 1.", func(s Snapshot) []sample {
		if s.Spec == "" {
			return nil
		}
		return []sample{{[]string{"sha256", s.Spec}, 1}}
	}},
	{"benchctl_last_pass_timestamp_seconds", "gauge", "When the last run of benchctl began, deferred ones included.", func(s Snapshot) []sample {
		return last(s, func(e *history.Entry) float64 { return seconds(e.At) })
	}},
	{"benchctl_last_pass_duration_seconds", "gauge", "How long the last run took.", func(s Snapshot) []sample {
		return last(s, func(e *history.Entry) float64 { return time.Duration(e.Elapsed).Seconds() })
	}},
	{"benchctl_last_pass_exit_code", "gauge", "What the last run came to: 0 in step, 1 an error, 2 something differs, 3 deferred.", func(s Snapshot) []sample {
		return last(s, func(e *history.Entry) float64 { return float64(e.Exit) })
	}},
	{"benchctl_outcomes", "gauge", "Resources by kind and status in the last run that looked at everything.", outcomes},
	{"benchctl_drift_corrections_total", "counter", "How often drift of a resource was corrected.", corrections},
	{"benchctl_deferrals_total", "counter", "Runs that were put off, for a job or a pause.", func(s Snapshot) []sample {
		return []sample{{nil, float64(s.Book.Deferrals)}}
	}},
	{"benchctl_deferred_since_timestamp_seconds", "gauge", "Since when jobs have put every pass off; absent while none do.", func(s Snapshot) []sample {
		return at(s.Book.DeferredSince)
	}},
	{"benchctl_in_step_timestamp_seconds", "gauge", "When the host was last seen in step; absent before it ever was.", func(s Snapshot) []sample {
		return at(s.Book.InStep)
	}},
	{"benchctl_seconds_since_in_step", "gauge", "How long before this was written the host was last seen in step.", func(s Snapshot) []sample {
		if s.Book.InStep.IsZero() {
			return nil
		}
		return []sample{{nil, max(0, s.Now.Sub(s.Book.InStep).Seconds())}}
	}},
	{"benchctl_registration_online", "gauge", "Whether GitHub said that the runner is online; absent when it was not asked or did not say.", func(s Snapshot) []sample {
		return whether(s.Book.Online)
	}},
	{"benchctl_runner_version_deadline_timestamp_seconds", "gauge", "Until when GitHub hands jobs to the installed version of the runner (runtime) and registers it (registration); absent while it has not said.", deadlines},
	{"benchctl_runner_version_registers", "gauge", "Whether GitHub would register the installed version of the runner anew, as far as its minimum is known; absent where none is installed.", func(s Snapshot) []sample {
		return whether(s.Registers)
	}},
	{"benchctl_next_run_timestamp_seconds", "gauge", "When the agent's next pass is due; absent without a schedule.", func(s Snapshot) []sample {
		return at(s.NextRun)
	}},
}

func last(s Snapshot, value func(*history.Entry) float64) []sample {
	if s.Book.LastPass == nil {
		return nil
	}
	return []sample{{nil, value(s.Book.LastPass)}}
}

func at(t time.Time) []sample {
	if t.IsZero() {
		return nil
	}
	return []sample{{nil, seconds(t)}}
}

func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

func outcomes(s Snapshot) (samples []sample) {
	for _, c := range s.Book.Outcomes {
		samples = append(samples, sample{[]string{"kind", c.Kind, "status", string(c.Status)}, float64(c.Number)})
	}
	return samples
}

// corrections has a 0 for every resource that never drifted: the step from
// nothing to 1 would be no increase.
func corrections(s Snapshot) (samples []sample) {
	for _, id := range s.Book.Kept() {
		samples = append(samples, sample{[]string{"resource", id}, float64(s.Book.Resources[id].Corrections)})
	}
	return samples
}

func whether(is *bool) []sample {
	switch {
	case is == nil:
		return nil
	case *is:
		return []sample{{nil, 1}}
	}
	return []sample{{nil, 0}}
}

func deadlines(s Snapshot) (samples []sample) {
	for _, d := range []struct {
		what string
		ends time.Time
	}{{"runtime", s.Support.Runtime}, {"registration", s.Support.Registration}} {
		if !d.ends.IsZero() {
			samples = append(samples, sample{[]string{"what", d.what}, seconds(d.ends)})
		}
	}
	return samples
}

// Text is the file: Prometheus' text format, version 0.0.4.
func Text(s Snapshot) string {
	var b strings.Builder
	for _, m := range metrics {
		samples := m.samples(s)
		if len(samples) == 0 {
			continue
		}
		fmt.Fprintf(&b, "# HELP %s %s\n# TYPE %s %s\n", m.name, m.help, m.name, m.kind)
		for _, s := range samples {
			b.WriteString(m.name + labels(s.labels) + " " + strconv.FormatFloat(s.value, 'f', -1, 64) + "\n")
		}
	}
	return b.String()
}

var escape = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

func labels(pairs []string) string {
	if len(pairs) == 0 {
		return ""
	}
	var parts []string
	for i := 0; i < len(pairs); i += 2 {
		parts = append(parts, fmt.Sprintf(`%s="%s"`, pairs[i], escape.Replace(strings.ToValidUTF8(pairs[i+1], "?"))))
	}
	return "{" + strings.Join(parts, ",") + "}"
}

// Write puts the file in its place, whole, for anybody to read.
func Write(h host.Host, file string, s Snapshot) error {
	err := h.Record(file, []byte(Text(s)), host.Perm{Mode: 0o644})
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot write the metrics to %s: there is no directory %s; make the one that node_exporter's --collector.textfile.directory names, or change metrics in the spec", file, path.Dir(file))
	}
	if err != nil {
		return fmt.Errorf("cannot write the metrics: %w; see to it, or change metrics in the spec", err)
	}
	return nil
}
