package resources

import (
	"encoding/json"
	"path"
	"strings"

	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/spec"
)

// registrationFile remembers what benchctl registered. It is root's, unlike
// `.runner`, and written before config.sh runs: should the host die between
// GitHub's answer and `.runner`, the next pass knows the entry that is left at
// GitHub for its own. Without the file nothing breaks; benchctl is only more
// careful.
const registrationFile = "/var/lib/benchctl/registration.json"

type record struct {
	URL  string `json:"url"`
	Name string `json:"name"`
	// ID is 0 from before config.sh runs until it ended well.
	ID int64 `json:"id,omitempty"`
	// Ours: an entry of that name at that URL is this host's, because
	// GitHub had none before, or let config.sh make it without --replace.
	Ours  bool   `json:"ours"`
	Group string `json:"group,omitempty"` // where benchctl last put it, or is about to
	// Labels are those of runner.allowLabels that the entry before had, until
	// the new one has them.
	Labels []string `json:"labels,omitempty"`
	// OneJob: it is an ephemeral runner's, and gone after its job.
	OneJob bool `json:"oneJob,omitempty"`
	// Former is what the host was registered as before, at the same URL, and
	// is there until the new registration is done.
	Former string `json:"former,omitempty"`
}

// recordField is what differs when benchctl was killed after config.sh had ended
// well: the record does not have the id yet, by which this host's entry is
// known for its own even while its runner is online.
const recordField = "record of the registration"

// recorded reports whether a registration is remembered.
func recorded(r host.Reader) bool {
	_, ok := anyRecord(r)
	return ok
}

// anyRecord returns what is remembered of whatever registration there was last.
func anyRecord(r host.Reader) (rec record, ok bool) {
	data, err := r.ReadFile(registrationFile)
	return rec, err == nil && json.Unmarshal(data, &rec) == nil && rec.URL != ""
}

// readRecord returns what is remembered of a registration of that name at that
// URL. One at the same URL with another name is remembered as the former.
func readRecord(r host.Reader, u spec.URL, name string) record {
	var rec record
	data, err := r.ReadFile(registrationFile)
	if err != nil || json.Unmarshal(data, &rec) != nil || !sameURL(rec.URL, u.Text) {
		return record{URL: u.Text, Name: name}
	}
	if !strings.EqualFold(rec.Name, name) {
		return record{URL: u.Text, Name: name, Former: rec.Name}
	}
	return rec
}

// undone puts a record back over that of a registration that came to nothing.
func (rec record) undone(h host.Host) error {
	if rec.ID == 0 {
		return nil // nothing was known, or an earlier one is unfinished too
	}
	return rec.write(h)
}

func (rec record) write(h host.Host) error {
	data, err := json.MarshalIndent(rec, "", "  ")
	if err != nil {
		return err
	}
	if err := h.Mkdir(path.Dir(registrationFile), host.Perm{Mode: 0o700}); err != nil {
		return err
	}
	return h.Replace(registrationFile, append(data, '\n'), host.Perm{Mode: 0o600})
}
