package resources

import (
	"fmt"
	"strings"
)

// PackagedUnits are the agent's units by name as a package brings them, for
// whoever writes /etc/benchctl/runner.yaml and enables benchctl.service: its
// first pass finds all there is to do, and what that starts puts the spec's own
// units before these. Until then the agent holds no credential and has no way
// to GitHub; what applies reads the files that the spec names.
func PackagedUnits() (map[string]string, error) {
	units := map[string]string{}
	for _, name := range agentUnits {
		var text strings.Builder
		err := agentTemplates[name].Execute(&text, map[string]any{
			"Origin":       "From benchctl's package. An apply puts the units that the spec asks for before these.",
			"Binary":       packagedBinary,
			"Files":        agent{}.execFiles(),
			"Revision":     "packaged", // so that the spec's own unit is another one
			"Runner":       "",
			"Sandbox":      rowLines(agentSandbox),
			"RelaySandbox": rowLines(relaySandbox),
		})
		if err != nil {
			return nil, fmt.Errorf("cannot write the unit %s: %w", name, err)
		}
		units[name] = text.String()
	}
	return units, nil
}
