package lab

import (
	"strings"
	"testing"
)

// A rehearsal is started with a token in the environment as often as not.
func TestProgramsOutsideAMachineSeeNoSecret(t *testing.T) {
	t.Setenv("GITHUB_TOKEN", "canary")
	t.Setenv("https_proxy", "http://proxy.example:3128")
	out, err := output(t.Context(), "env")
	if err != nil {
		t.Fatal(err)
	}
	if text := string(out); strings.Contains(text, "canary") || !strings.Contains(text, "https_proxy=http://proxy.example:3128\n") {
		t.Errorf("it saw:\n%s", text)
	}
}
