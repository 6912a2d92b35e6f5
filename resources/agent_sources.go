package resources

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"
	"unicode"

	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/reconcile"
)

// files are what the agent reads its spec from.
func (a agent) files() []string {
	if len(a.sources) > 0 {
		return a.sources
	}
	return []string{specFile}
}

// diffSources looks at what the agent is to read where some of it is fetched.
// Nothing is copied then. The spec of earlier days goes, lest somebody takes it
// for the one in force; one that is put there later is somebody's work, and is
// left alone by the agent itself.
func (a agent) diffSources(r host.Reader) ([]reconcile.Change, error) {
	for _, name := range a.sources {
		if strings.ContainsFunc(name, unicode.IsControl) {
			return nil, fmt.Errorf("cannot have the agent read %q: the name holds control characters", name)
		}
		if err := a.trusted(r, name); err != nil {
			return nil, fmt.Errorf("cannot have the agent read %s: %w; give it to root", name, err)
		}
	}
	if a.unattended || slices.Contains(a.sources, specFile) {
		return nil, nil
	}
	there, err := exists(r, specFile)
	if err != nil || !there {
		return nil, err
	}
	return []reconcile.Change{{Field: specFile, Have: "present", Want: "absent: the agent reads " + strings.Join(a.sources, ", ")}}, nil
}

// trusted makes sure that a file of this host is root's on the whole way to it,
// since whoever writes it is root by way of the agent.
func (a agent) trusted(r host.Reader, name string) error {
	if !path.IsAbs(name) {
		return nil
	}
	for p := path.Clean(name); p != "/"; p = path.Dir(p) {
		if err := host.RootsAlone(r, p); err != nil {
			return err
		}
	}
	return nil
}

// dropSpec makes way for the sources.
func (a agent) dropSpec(ctx context.Context, h host.Host) error {
	text, err := h.ReadFile(specFile)
	if err != nil {
		return fmt.Errorf("cannot read %s: %w", specFile, err)
	}
	if sum(text) == readAgentNotes(h).Copied {
		return h.Remove(specFile)
	}
	reconcile.Progress(ctx)("moving " + specFile + " to " + asideDir)
	return setAside(h, specFile)
}

// sourceKey is where the agent's unit says what the spec is read from, for
// benchctl itself: the same that stands behind ExecStart=, and easier to read.
const sourceKey = "Source"

// AgentSources are what the agent of this host reads its spec from, where some
// of it is fetched. Nil is its usual place, or no agent.
func AgentSources(r host.Reader) []string {
	text, err := r.ReadFile(unitDir + "/" + agentUnit)
	if err != nil {
		return nil
	}
	var sources []string
	for line := range strings.Lines(string(text)) {
		if name, ok := strings.CutPrefix(line, sourceKey+"="); ok {
			sources = append(sources, strings.TrimSuffix(name, "\n"))
		}
	}
	return sources
}

// named reports whether a person names other sources than the agent that is
// here reads: what that changes is no drift.
func (a agent) named(r host.Reader) bool {
	there, err := exists(r, unitDir+"/"+agentUnit)
	return err == nil && there && !a.unattended && !slices.Equal(AgentSources(r), a.sources)
}

// execFiles are the files as a command line of a unit has them.
func (a agent) execFiles() string {
	var args strings.Builder
	for _, name := range a.files() {
		args.WriteString(" -f " + execWord(name))
	}
	return args.String()
}

// execWord is a word of a unit's command line: systemd.service(5).
func execWord(word string) string {
	escaped := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "$", "$$", "%", "%%").Replace(word)
	if escaped == word && !strings.ContainsAny(word, " ';") && word != "" {
		return word
	}
	return `"` + escaped + `"`
}
