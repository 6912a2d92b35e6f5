package runner

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// Settings is the runner's .runner file. Fields at their zero value are left
// out, as the real one does.
type Settings struct {
	AgentID       int64  `json:"agentId,omitempty"`
	AgentName     string `json:"agentName,omitempty"`
	PoolID        int64  `json:"poolId,omitempty"`
	PoolName      string `json:"poolName,omitempty"`
	DisableUpdate bool   `json:"disableUpdate,omitempty"`
	Ephemeral     bool   `json:"ephemeral,omitempty"`
	ServerURL     string `json:"serverUrl,omitempty"`
	GitHubURL     string `json:"gitHubUrl,omitempty"`
	WorkFolder    string `json:"workFolder,omitempty"`
	UseV2Flow     bool   `json:"useV2Flow,omitempty"`
	ServerURLV2   string `json:"serverUrlV2,omitempty"`
	IsHosted      *bool  `json:"isHostedServer,omitempty"` // only ever false: a GHES host
}

// Credentials is the runner's .credentials file.
type Credentials struct {
	Scheme string            `json:"scheme"`
	Data   map[string]string `json:"data"`
}

// The runner's local configuration files.
const (
	settingsFile    = ".runner"
	credentialsFile = ".credentials"
	keyFile         = ".credentials_rsaparams"
)

var localFiles = []string{
	credentialsFile, ".credentials_migrated", keyFile, settingsFile, ".runner_migrated",
}

// bom opens every JSON file that the real runner writes.
var bom = []byte("\xEF\xBB\xBF")

func writeJSON(path string, value any, mode os.FileMode) error {
	data, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(path, append(bytes.Clone(bom), data...), mode); err != nil {
		return err
	}
	if mode == 0o600 {
		return os.Chmod(path, mode)
	}
	return nil
}

func readJSON(path string, into any) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return json.Unmarshal(bytes.TrimPrefix(data, bom), into)
}

func configured(root string) bool {
	return exists(filepath.Join(root, settingsFile)) || exists(filepath.Join(root, ".runner_migrated"))
}

func readSettings(root string) (Settings, error) {
	var s Settings
	path := filepath.Join(root, ".runner_migrated")
	if !exists(path) {
		path = filepath.Join(root, settingsFile)
	}
	return s, readJSON(path, &s)
}

// wipe deletes the local configuration and nothing else.
func wipe(root string) {
	for _, name := range localFiles {
		os.Remove(filepath.Join(root, name))
	}
}

var unsafeInUnit = regexp.MustCompile(`[^0-9a-zA-Z._-]`)

// unitName is the name that svc.sh gives to the service.
func unitName(s Settings) string {
	scope := strings.Trim(s.GitHubURL, "/")
	if _, path, ok := strings.Cut(scope, "://"); ok {
		_, scope, _ = strings.Cut(path, "/")
	}
	return fmt.Sprintf("actions.runner.%s.%s.service", unsafeInUnit.ReplaceAllString(scope, "-"), s.AgentName)
}

// writeServiceScript generates svc.sh from the package's template.
func writeServiceScript(root string, s Settings) error {
	template, err := os.ReadFile(filepath.Join(root, "bin", "systemd.svc.sh.template"))
	if err != nil {
		return err
	}
	text := strings.NewReplacer("{{SvcNameVar}}", unitName(s),
		"{{SvcDescription}}", "GitHub Actions Runner ("+unitName(s)+")").Replace(string(template))
	path := filepath.Join(root, "svc.sh")
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		return err
	}
	return os.Chmod(path, 0o755)
}
