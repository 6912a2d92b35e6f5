package actions_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/SKaiNET-developers/benchctl/internal/github/actions"
)

func TestSecretNeverPrints(t *testing.T) {
	t.Parallel()
	const canary = "ghp_canary0123456789"
	s := actions.Secret(canary)
	holder := struct{ Token actions.Secret }{s}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&out, verb+" "+verb+" "+verb+"\n", s, &s, holder)
	}
	log := slog.New(slog.NewJSONHandler(&out, nil))
	log.Info("token", "secret", s, "holder", holder)
	if err := json.NewEncoder(&out).Encode(map[string]any{"secret": s, "holder": &holder}); err != nil {
		t.Fatal(err)
	}
	for _, form := range []string{canary, fmt.Sprintf("%x", canary), fmt.Sprintf("%d", []byte(canary))} {
		if strings.Contains(out.String(), form) {
			t.Errorf("the secret was printed as %s:\n%s", form, out.String())
		}
	}
	if s.Reveal() != canary {
		t.Error("Reveal does not give the text back")
	}
}
