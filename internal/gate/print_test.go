package gate

import (
	"os"
	"strings"
	"syscall"
	"testing"
)

func report(findings ...Finding) Report {
	return Report{Moment: Started, Host: "bench7: Linux 6.12 on <b>CPU</b>", Revision: "0123456789abcdef", Findings: findings}
}

func TestAnnotations(t *testing.T) {
	t.Parallel()
	r := report(
		Finding{"cpufreq", Differs, "policy1 is 50%\r\n::error::x"},
		Finding{"power", Unknown, "did not answer within 1s"},
		Finding{"throttling", Noted, "slowed"},
		Finding{"load", InStep, "0.1"},
		Finding{"x", Unsupported, "y"},
	)
	for policy, want := range map[Policy]string{
		Fail: "::error title=benchctl gate::cpufreq: policy1 is 50%25%0D%0A::error::x\n" +
			"::error title=benchctl gate::power is unknown: did not answer within 1s\n" +
			"::warning title=benchctl gate::throttling: slowed\n",
		Warn: "::warning title=benchctl gate::cpufreq: policy1 is 50%25%0D%0A::error::x\n" +
			"::warning title=benchctl gate::power is unknown: did not answer within 1s\n" +
			"::warning title=benchctl gate::throttling: slowed\n",
	} {
		var got strings.Builder
		r.Annotate(&got, policy)
		if got.String() != want {
			t.Errorf("%s: %s\nwant %s", policy, got.String(), want)
		}
	}
}

func TestHeadlines(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		verdict Verdict
		bad     bool
		want    string
	}{
		{InStep, false, "this host was as it must be when the job started"},
		{Noted, false, "this host was as it must be when the job started"},
		{Unsupported, false, "this host was as it must be when the job started"},
		{Unknown, true, "nobody can vouch for this host when the job started"},
		{Differs, true, "this host was NOT as it must be when the job started"},
	} {
		r := report(Finding{"x", c.verdict, "y"})
		if r.headline() != c.want || r.Bad() != c.bad {
			t.Errorf("%s: %q, bad %v", c.verdict, r.headline(), r.Bad())
		}
	}
}

// The next step is where the reason can be seen.
func TestNext(t *testing.T) {
	t.Parallel()
	busy := Finding{"load", Differs, "something else keeps 1.75 of 2 CPUs busy, at most 0.50"}
	for want, r := range map[string]Report{
		"gate: warn lets the job go on; its numbers are not to be compared with others. Next: see on the host what keeps its CPUs busy (top), or allow for it with gate.maxLoad.": report(busy, Finding{"jdk", InStep, ""}),
		"gate: warn lets the job go on; its numbers are not to be compared with others. Next: benchctl diff on the host.":                                                         report(busy, Finding{"jdk", Differs, ""}),
	} {
		if got := Warn.verdict(r); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// What others chose cannot leave its cell, nor call anybody.
func TestMarkdownIsEscaped(t *testing.T) {
	t.Parallel()
	text := report(Finding{"processes", Differs, "left: a|b `c` <img src=x> @octocat [x](https://e.vil) _y_"}).Markdown(Warn)
	const row = "| **differs** | processes | left: a\\|b \\`c\\` &lt;img src=x&gt; &#64;octocat \\[x\\](https&#58;//e.vil) \\_y\\_ |\n"
	if !strings.Contains(text, row) || !strings.Contains(text, "on &lt;b&gt;CPU&lt;/b&gt;; revision 0123456789abcdef; ") {
		t.Errorf("the summary is\n%s\nand should have\n%s", text, row)
	}
}

func TestSummaryIsAppended(t *testing.T) {
	t.Parallel()
	b, file := newBox(t), t.TempDir()+"/summary"
	b.env["GITHUB_STEP_SUMMARY"] = file
	b.must(t, os.WriteFile(file, []byte("before\n"), 0o600))
	b.must(t, b.gate().Summarize(report(), Fail))
	if text, _ := os.ReadFile(file); !strings.HasPrefix(string(text), "before\n### benchctl: ") {
		t.Errorf("the summary is %q", text)
	}
	b.must(t, os.Remove(file))
	b.must(t, syscall.Mkfifo(file, 0o600))
	if err := b.gate().Summarize(report(), Fail); err == nil {
		t.Error("the gate wrote into a fifo that nobody reads")
	}
}
