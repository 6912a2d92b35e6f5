package runner

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// EncodeJIT makes a registration of the settings into what GitHub gives out for
// `run --jitconfig`, with a new key: the local configuration files, each in
// base64, as JSON, in base64. In these files names are in Pascal case and values
// are strings. public is the key's other half, in PEM.
func EncodeJIT(s Settings, client, authorization string) (encoded, public string, err error) {
	key, err := newKey()
	if err != nil {
		return "", "", err
	}
	files := map[string]any{
		settingsFile: map[string]string{
			"AgentId": strconv.FormatInt(s.AgentID, 10), "AgentName": s.AgentName,
			"PoolId": strconv.FormatInt(s.PoolID, 10), "PoolName": s.PoolName,
			"ServerUrl": s.ServerURL, "ServerUrlV2": s.ServerURLV2, "UseV2Flow": "True",
			"GitHubUrl": s.GitHubURL, "WorkFolder": s.WorkFolder, "Ephemeral": "True", "DisableUpdate": "False",
		},
		credentialsFile: map[string]any{"Scheme": "OAuth", "Data": map[string]string{
			"ClientId": client, "AuthorizationUrl": authorization, "RequireFipsCryptography": "True",
		}},
		keyFile: paramsOf(key),
	}
	config := map[string][]byte{}
	for name, file := range files {
		if config[name], err = json.Marshal(file); err != nil {
			return "", "", err
		}
	}
	whole, err := json.Marshal(config)
	return base64.StdEncoding.EncodeToString(whole), publicPEM(key), err
}

// acceptJIT writes the files of a just-in-time configuration where config.sh
// would have put them. Like the real one it looks at neither names nor modes.
func acceptJIT(root, encoded string) error {
	whole, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return fmt.Errorf("The input is not a valid Base-64 string: %w", err)
	}
	var config map[string][]byte
	if err := json.Unmarshal(whole, &config); err != nil {
		return err
	}
	for name, text := range config {
		if err := os.WriteFile(filepath.Join(root, name), text, 0o666); err != nil {
			return err
		}
	}
	return nil
}

// UnmarshalJSON reads what config.sh writes, and what a just-in-time
// configuration has: numbers and booleans as strings.
func (s *Settings) UnmarshalJSON(data []byte) error {
	type same Settings
	loose := struct {
		*same
		AgentID       json.Number `json:"agentId"`
		PoolID        json.Number `json:"poolId"`
		DisableUpdate yes         `json:"disableUpdate"`
		Ephemeral     yes         `json:"ephemeral"`
		UseV2Flow     yes         `json:"useV2Flow"`
	}{same: (*same)(s)}
	if err := json.Unmarshal(data, &loose); err != nil {
		return err
	}
	s.AgentID, _ = loose.AgentID.Int64()
	s.PoolID, _ = loose.PoolID.Int64()
	s.DisableUpdate, s.Ephemeral, s.UseV2Flow = bool(loose.DisableUpdate), bool(loose.Ephemeral), bool(loose.UseV2Flow)
	return nil
}

// yes is a boolean, or one in quotes.
type yes bool

func (y *yes) UnmarshalJSON(data []byte) error {
	*y = yes(strings.EqualFold(string(bytes.Trim(data, `"`)), "true"))
	return nil
}

// value finds a value of the credentials; .NET does not tell case apart there.
func (c Credentials) value(name string) string {
	for key, value := range c.Data {
		if strings.EqualFold(key, name) {
			return value
		}
	}
	return ""
}
