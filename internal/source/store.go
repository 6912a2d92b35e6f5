package source

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/host"
)

// storeDir holds the copies, one file for each name. Losing them costs a fetch.
const storeDir = "/var/lib/benchctl/sources"

// A Store keeps the last copy of what was fetched. A nil Store keeps nothing,
// which is for verbs that change nothing.
type Store struct{ host.Host }

// A Copy is a text as it was fetched.
type Copy struct {
	Name    string    `json:"name"`
	ETag    string    `json:"etag,omitempty"`
	Text    string    `json:"text"`
	Fetched time.Time `json:"fetched"`
}

func copyPath(name string) string {
	return fmt.Sprintf("%s/%.12x.json", storeDir, sha256.Sum256([]byte(name)))
}

// load returns the copy of a name; the zero Copy when there is none of use.
func (s *Store) load(name string) Copy {
	if s == nil {
		return Copy{}
	}
	var c Copy
	data, err := s.ReadFile(copyPath(name))
	if err != nil || json.Unmarshal(data, &c) != nil || c.Name != name {
		return Copy{}
	}
	return c
}

func (s *Store) keep(c Copy) error {
	if s == nil {
		return nil
	}
	data, err := json.Marshal(c)
	if err != nil {
		return err
	}
	for _, dir := range []string{"/var/lib/benchctl", storeDir} {
		if err := s.Mkdir(dir, host.Perm{Mode: 0o700}); err != nil {
			return err
		}
	}
	return s.Replace(copyPath(c.Name), data, host.Perm{Mode: 0o600})
}
