package source

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/spec"
)

// Dir holds the copies, one file for each name. Losing them costs a fetch.
const Dir = "/var/lib/benchctl/sources"

// mostCopy is more than a spec has that is as large as it may be, as JSON: in
// bytes, of which some take six there.
const mostCopy = 7 * spec.MaxSize

// A Copy is a text as it was fetched.
type Copy struct {
	Name    string    `json:"name"`
	ETag    string    `json:"etag,omitempty"`
	Text    string    `json:"text"`
	Fetched time.Time `json:"fetched"`
}

func copyPath(name string) string {
	return fmt.Sprintf("%s/%.12x.json", Dir, sha256.Sum256([]byte(name)))
}

// kept returns the copy of a name, nil when there is none of use.
func (r *Reader) kept(name string) *Copy {
	if r.Copies == nil {
		return nil
	}
	var c Copy
	if info, err := r.Copies.Lstat(copyPath(name)); err != nil || info.Size > mostCopy {
		return nil
	}
	data, err := r.Copies.ReadFile(copyPath(name))
	if err != nil || json.Unmarshal(data, &c) != nil || c.Name != name {
		return nil
	}
	return &c
}

// Keep writes down what was fetched anew.
func (r *Reader) Keep(h host.Host) error {
	for ; len(r.fresh) > 0; r.fresh = r.fresh[1:] {
		if err := keep(h, r.fresh[0]); err != nil {
			return fmt.Errorf("cannot keep a copy of the spec %s: %w; without it, benchctl cannot do without that server", r.fresh[0].Name, err)
		}
	}
	return nil
}

func keep(h host.Host, c Copy) error {
	data, err := json.Marshal(c)
	if err != nil {
		return err
	}
	for _, dir := range []string{"/var/lib/benchctl", Dir} {
		if err := h.Mkdir(dir, host.Perm{Mode: 0o700}); err != nil {
			return err
		}
	}
	return h.Replace(copyPath(c.Name), data, host.Perm{Mode: 0o600})
}
