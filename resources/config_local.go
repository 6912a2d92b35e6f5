package resources

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"strconv"
	"strings"

	"github.com/SKaiNET-developers/benchctl/internal/host"
)

// localConfig is the runner's own memory of its registration: `.runner`, or
// `.runner_migrated` where the server moved it. The runner's user can write
// both, so each value is a claim. encoding/json matches keys without regard to
// case, which covers the camelCase of config.sh and the PascalCase of a JIT
// configuration; the loose types cover the latter's strings.
type localConfig struct {
	ID            looseInt  `json:"agentId"`
	Name          string    `json:"agentName"`
	Group         string    `json:"poolName"` // at registration; moving a runner does not change it
	URL           string    `json:"gitHubUrl"`
	WorkFolder    string    `json:"workFolder"`
	Ephemeral     looseBool `json:"ephemeral"`
	DisableUpdate looseBool `json:"disableUpdate"`
}

func (l *localConfig) workDir() string {
	if l.WorkFolder == "" {
		return "_work"
	}
	return l.WorkFolder
}

// unusable says why a configuration that is there does not work.
type unusable string

func (u unusable) Error() string { return string(u) }

// readLocal reads the configuration in dir. It is nil when there is none, and
// the error is [unusable] when it is worth nothing.
func readLocal(r host.Reader, dir string) (*localConfig, error) {
	name := ".runner_migrated"
	data, err := r.ReadBelow(dir, name)
	if errors.Is(err, fs.ErrNotExist) {
		name = ".runner"
		data, err = r.ReadBelow(dir, name)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case errors.Is(err, host.ErrHostile):
		return nil, unusable(name + " is no plain file of reasonable size")
	case err != nil:
		return nil, err
	}
	var l localConfig
	if json.Unmarshal(bytes.TrimPrefix(data, []byte("\xEF\xBB\xBF")), &l) != nil {
		return nil, unusable(name + " is not the JSON that config.sh writes")
	}
	if l.ID <= 0 || l.Name == "" {
		return nil, unusable(name + " has no agentId or no agentName")
	}
	return &l, credentialed(r, dir)
}

// credentialed is an [unusable] error unless the files are there that the
// runner proves itself with. What is in them is none of benchctl's business.
func credentialed(r host.Reader, dir string) error {
	for _, alternatives := range [][]string{{".credentials", ".credentials_migrated"}, {".credentials_rsaparams"}} {
		fault := unusable(alternatives[0] + " is missing")
		for _, name := range alternatives {
			info, err := r.Lstat(dir + "/" + name)
			switch {
			case err != nil:
			case info.IsRegular():
				fault = ""
			default:
				fault = unusable(name + " is no plain file")
			}
		}
		if fault != "" {
			return fault
		}
	}
	return nil
}

// A looseInt is a number, or one in quotes.
type looseInt int64

// UnmarshalJSON accepts both forms.
func (n *looseInt) UnmarshalJSON(data []byte) error {
	i, err := strconv.ParseInt(strings.Trim(string(data), `"`), 10, 64)
	*n = looseInt(i)
	return err
}

// A looseBool is a boolean, or one in quotes as .NET writes it.
type looseBool bool

// UnmarshalJSON accepts both forms.
func (b *looseBool) UnmarshalJSON(data []byte) error {
	v, err := strconv.ParseBool(strings.ToLower(strings.Trim(string(data), `"`)))
	*b = looseBool(v)
	return err
}
