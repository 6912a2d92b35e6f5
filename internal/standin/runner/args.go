package runner

import (
	"os"
	"slices"
	"strings"
)

// inputs are the arguments of one command: from the command line, else from
// ACTIONS_RUNNER_INPUT_NAME in the environment.
type inputs struct {
	command string
	values  map[string]string
	flags   map[string]bool
	unknown []string
}

var valued = []string{
	"auth", "labels", "monitorsocketaddress", "name", "pat", "runnergroup", "token", "url", "username", "work",
	"jitconfig", "startuptype",
}

var flagged = []string{
	"disableupdate", "ephemeral", "generateserviceconfig", "replace", "runasservice", "unattended",
	"no-default-labels", "local", "once", "help", "version", "commit", "check",
}

// parseInputs reads the command line and takes the inputs out of the
// environment, so that no child inherits a token. --name=value is not
// understood, the first of two wins, and what is not known is only noted.
func parseInputs(args []string) inputs {
	in := inputs{values: map[string]string{}, flags: map[string]bool{}}
	for i := 0; i < len(args); i++ {
		name, dashed := strings.CutPrefix(args[i], "--")
		name = strings.ToLower(name)
		switch {
		case !dashed && in.command == "" && i == 0:
			in.command = strings.ToLower(args[i])
		case dashed && slices.Contains(flagged, name):
			in.flags[name] = true
		case dashed && slices.Contains(valued, name):
			value := ""
			if i+1 < len(args) && !strings.HasPrefix(args[i+1], "-") {
				i++
				value = args[i]
			}
			if _, twice := in.values[name]; !twice {
				in.values[name] = value
			}
		default:
			in.unknown = append(in.unknown, args[i])
		}
	}
	in.takeEnvironment()
	return in
}

func (in *inputs) takeEnvironment() {
	for _, entry := range os.Environ() {
		key, value, _ := strings.Cut(entry, "=")
		const prefix = "ACTIONS_RUNNER_INPUT_"
		if len(key) <= len(prefix) || !strings.EqualFold(key[:len(prefix)], prefix) {
			continue
		}
		os.Unsetenv(key)
		name, value := strings.ToLower(key[len(prefix):]), strings.TrimSpace(value)
		if _, given := in.values[name]; given || value == "" {
			continue
		}
		if slices.Contains(flagged, name) {
			in.flags[name] = in.flags[name] || strings.EqualFold(value, "true") // 1 and yes do not work
			continue
		}
		in.values[name] = value
	}
}
