package metrics

import (
	"fmt"
	"math"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/SKaiNET-developers/benchctl/internal/deadline"
	"github.com/SKaiNET-developers/benchctl/internal/history"
	"github.com/SKaiNET-developers/benchctl/internal/host/hosttest"
	"github.com/SKaiNET-developers/benchctl/reconcile"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// full is a host of which everything is known.
func full() Snapshot {
	yes := true
	return Snapshot{
		Version: "1.2.3", Commit: "abc", Host: "bench7", Spec: "0a1b", Now: noon.Add(90 * time.Second), NextRun: noon.Add(30 * time.Minute),
		Support:   deadline.Support{Version: "2.336.0", Known: true, Runtime: noon.AddDate(0, 0, 12), Registration: noon.AddDate(0, 1, 0)},
		Registers: &yes,
		Book: &history.Book{
			Resources: map[string]history.Mark{"cpufreq": {Corrections: 7}, "sysctl/kernel.perf_event_paranoid": {}},
			InStep:    noon, DeferredSince: noon.Add(-time.Hour), Deferrals: 12, Online: &yes,
			LastPass: &history.Entry{At: noon, Elapsed: reconcile.Milliseconds(1500 * time.Millisecond), Exit: reconcile.ExitDeferred},
			Outcomes: []history.Counts{{Kind: "cpufreq", Status: reconcile.Changed, Number: 1}, {Kind: "sysctl", Status: reconcile.Unchanged, Number: 2}},
		},
	}
}

func TestText(t *testing.T) {
	t.Parallel()
	got := parse(t, Text(full()))
	for sample, want := range map[string]float64{
		`benchctl_info{version="1.2.3",commit="abc",host="bench7"}`:                      1,
		`benchctl_spec_info{sha256="0a1b"}`:                                              1,
		`benchctl_last_pass_timestamp_seconds`:                                           float64(noon.Unix()),
		`benchctl_last_pass_duration_seconds`:                                            1.5,
		`benchctl_last_pass_exit_code`:                                                   3,
		`benchctl_outcomes{kind="cpufreq",status="changed"}`:                             1,
		`benchctl_outcomes{kind="sysctl",status="unchanged"}`:                            2,
		`benchctl_drift_corrections_total{resource="cpufreq"}`:                           7,
		`benchctl_drift_corrections_total{resource="sysctl/kernel.perf_event_paranoid"}`: 0,
		`benchctl_deferrals_total`:                                                       12,
		`benchctl_deferred_since_timestamp_seconds`:                                      float64(noon.Unix() - 3600),
		`benchctl_in_step_timestamp_seconds`:                                             float64(noon.Unix()),
		`benchctl_seconds_since_in_step`:                                                 90,
		`benchctl_registration_online`:                                                   1,
		`benchctl_runner_version_registers`:                                              1,
		`benchctl_next_run_timestamp_seconds`:                                            float64(noon.Unix() + 1800),
		`benchctl_runner_version_deadline_timestamp_seconds{what="runtime"}`:             float64(noon.AddDate(0, 0, 12).Unix()),
		`benchctl_runner_version_deadline_timestamp_seconds{what="registration"}`:        float64(noon.AddDate(0, 1, 0).Unix()),
	} {
		value, ok := got[sample]
		if !ok || value != want {
			t.Errorf("%s is %v (%v), want %v", sample, value, ok, want)
		}
		delete(got, sample)
	}
	if len(got) > 0 {
		t.Errorf("nobody expects %v", got)
	}
}

// What is not known is absent, which is not 0.
func TestWhatIsNotKnown(t *testing.T) {
	t.Parallel()
	got := parse(t, Text(Snapshot{Book: &history.Book{}, Now: noon}))
	if len(got) != 2 || got["benchctl_deferrals_total"] != 0 {
		t.Errorf("got %v", got)
	}
	s := full()
	no := false
	s.Book.Online = &no
	s.Now = noon.Add(-time.Hour) // the clock was put back
	got = parse(t, Text(s))
	if value, ok := got["benchctl_registration_online"]; !ok || value != 0 || got["benchctl_seconds_since_in_step"] != 0 {
		t.Errorf("got %v", got)
	}
}

// A name may hold anything that a host or a builder puts into it.
func TestLabelsAreEscaped(t *testing.T) {
	t.Parallel()
	s := full()
	s.Host = "a\\b\"c\nd\xffé"
	got := parse(t, Text(s))
	if _, ok := got[`benchctl_info{version="1.2.3",commit="abc",host="a\\b\"c\nd?é"}`]; !ok {
		t.Errorf("got %v", got)
	}
}

func TestWrite(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("the file is root's")
	}
	m := hosttest.New(t, "")
	const file = "/var/lib/prometheus/node-exporter/benchctl.prom"
	err := Write(m, file, full())
	if err == nil || !strings.Contains(err.Error(), "there is no directory /var/lib/prometheus/node-exporter; make the one that") {
		t.Errorf("got %v", err)
	}
	m.WriteFile("/var/lib/prometheus/node-exporter/", "")
	if err := Write(m, file, full()); err != nil {
		t.Fatal(err)
	}
	info, err := m.Lstat(file)
	if err != nil || info.Mode != 0o644 || m.Text(file) != Text(full()) {
		t.Errorf("%v, %v", info, err)
	}
	if names, _ := m.ReadDir("/var/lib/prometheus/node-exporter"); len(names) != 1 {
		t.Errorf("left behind: %q", names)
	}
	m.WriteFile("/srv/x.prom/y", "")
	if err := Write(m, "/srv/x.prom", full()); err == nil || !strings.Contains(err.Error(), "change metrics in the spec") {
		t.Errorf("got %v", err)
	}
}

// The grammar of Prometheus' text format, version 0.0.4, as far as a file of
// gauges and counters needs it.
// https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
var (
	helpLine   = regexp.MustCompile(`^# HELP ([a-zA-Z_:][a-zA-Z0-9_:]*) ((?:[^\\\n]|\\\\|\\n)+)$`)
	typeLine   = regexp.MustCompile(`^# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (gauge|counter)$`)
	sampleLine = regexp.MustCompile(`^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\\\|\\"|\\n)*"(?:,[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\\\|\\"|\\n)*")*\})? (-?[0-9]+(?:\.[0-9]+)?)$`)
)

// parse holds a text to the grammar, and returns its samples as written.
func parse(t *testing.T, text string) map[string]float64 {
	t.Helper()
	samples := map[string]float64{}
	var helped, typed string
	var seen []string
	if !strings.HasSuffix(text, "\n") {
		t.Error("the last line has no end")
	}
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if m := helpLine.FindStringSubmatch(line); m != nil {
			helped = m[1]
			if slices.Contains(seen, helped) {
				t.Errorf("%s is there twice", helped)
			}
			seen = append(seen, helped)
			continue
		}
		if m := typeLine.FindStringSubmatch(line); m != nil {
			typed = m[1]
			if typed != helped || (m[2] == "counter") != strings.HasSuffix(typed, "_total") {
				t.Errorf("%q after the help of %s", line, helped)
			}
			continue
		}
		m := sampleLine.FindStringSubmatch(line)
		if m == nil || m[1] != typed {
			t.Errorf("no line of this format: %q (of %s)", line, typed)
			continue
		}
		value, err := strconv.ParseFloat(m[3], 64)
		if _, twice := samples[m[1]+m[2]]; twice || err != nil || math.IsNaN(value) {
			t.Errorf("%q: twice %v, %v", line, twice, err)
		}
		samples[m[1]+m[2]] = value
	}
	return samples
}

// names are those of all metrics, sorted.
func names() (all []string) {
	for _, m := range metrics {
		all = append(all, m.name)
	}
	slices.Sort(all)
	return all
}

// README.md has every metric, and no other.
func TestTheReadmeHasThemAll(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "\n### Watch it\n")
	table, _, _ = strings.Cut(table, "\n### ")
	named := regexp.MustCompile(`benchctl_[a-z_]+`).FindAllString(table, -1)
	slices.Sort(named)
	if got := slices.Compact(named); !slices.Equal(got, names()) {
		t.Errorf("README.md has\n%q, and there are\n%q", got, names())
	}
}

// The sample rules speak of metrics that there are, and are rules.
func TestAlerts(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../examples/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	type rule struct {
		Alert, Expr, For    string
		Labels, Annotations map[string]string
	}
	var file struct {
		Groups []struct {
			Name  string
			Rules []rule
		}
	}
	decoder := yaml.NewDecoder(strings.NewReader(string(text)))
	decoder.KnownFields(true)
	if err := decoder.Decode(&file); err != nil {
		t.Fatal(err)
	}
	if len(file.Groups) != 1 || len(file.Groups[0].Rules) < 5 {
		t.Fatalf("%+v", file)
	}
	var names []string
	for _, r := range file.Groups[0].Rules {
		if err := checkRule(r.Expr, r.For); err != nil || r.Labels["severity"] == "" || r.Annotations["summary"] == "" || slices.Contains(names, r.Alert) {
			t.Errorf("%s: %v: %+v", r.Alert, err, r)
		}
		names = append(names, r.Alert)
	}
}

var word = regexp.MustCompile(`[a-zA-Z_][a-zA-Z0-9_]*`)

// checkRule knows every word that an expression may have: those of PromQL that
// the rules use, the labels that our metrics have, and the metrics.
func checkRule(expr, wait string) error {
	known := append(names(), "time", "and", "increase", "sum", "by", "instance", "kind", "status", "resource", "what")
	if wait != "" {
		if _, err := time.ParseDuration(wait); err != nil {
			return err
		}
	}
	bare := regexp.MustCompile(`"[^"]*"|\[[0-9]+[smhd]\]`).ReplaceAllString(expr, "")
	if strings.Count(bare, "(") != strings.Count(bare, ")") || !strings.Contains(bare, "benchctl_") {
		return fmt.Errorf("%q is no expression over our metrics", expr)
	}
	for _, w := range word.FindAllString(bare, -1) {
		if !slices.Contains(known, w) {
			return fmt.Errorf("there is no %s", w)
		}
	}
	return nil
}
