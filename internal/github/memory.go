package github

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"path"
	"slices"
	"sync"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/host"
)

// MemoryFile is where one process leaves a [Memory] to the next: root's, 0600.
const MemoryFile = "/var/lib/benchctl/github.json"

const (
	mostAnswers = 16             // that outlive the process
	oldest      = 48 * time.Hour // of them
)

// A Memory is what one process leaves to the next of what GitHub said: its
// answers, since asking again for what did not change costs the rate limit
// nothing, and until when it wants to be left alone. No credential is in it, nor
// an answer with a secret; whose answers they are is told by a digest. To lose
// it is harmless.
type Memory struct {
	mu      sync.Mutex
	answers map[string]answered // by whose they are and their URL
	rests   map[string]rest     // by whom they concern
	changed bool
}

// memoryFile is the file's contents.
type memoryFile struct {
	Answers map[string]answerNote `json:"answers,omitempty"`
	Rests   map[string]rest       `json:"rests,omitempty"`
}

type answerNote struct {
	At     time.Time         `json:"at"`
	Header map[string]string `json:"header"`
	Body   json.RawMessage   `json:"body"`
}

// told are the headers of an answer that are still of use with the next one.
var told = []string{"Content-Type", "Etag", "Link", "Github-Authentication-Token-Expiration"}

// LoadMemory reads what the last process left. What cannot be read is
// forgotten.
func LoadMemory(r host.Reader) *Memory {
	m := &Memory{}
	var file memoryFile
	text, err := r.ReadBelow(path.Dir(MemoryFile), path.Base(MemoryFile))
	if err != nil || json.Unmarshal(text, &file) != nil {
		return m
	}
	for key, note := range file.Answers {
		h := http.Header{}
		for name, value := range note.Header {
			h.Set(name, value)
		}
		m.put(key, answered{at: note.At, header: h, body: note.Body, lasting: true})
	}
	m.rests = file.Rests
	m.changed = false
	return m
}

// Keep leaves to the next process what this one learnt, if it learnt anything.
func (m *Memory) Keep(h host.Host, now time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.changed {
		return nil
	}
	maps.DeleteFunc(m.rests, func(_ string, r rest) bool { return now.Sub(r.Until) > oldest })
	text, err := json.Marshal(memoryFile{Answers: m.lasting(now), Rests: m.rests})
	if len(text) >= host.MaxHostile { // nobody would read it again, and the rests matter more
		text, err = json.Marshal(memoryFile{Rests: m.rests})
	}
	if err != nil {
		return err
	}
	dir := path.Dir(MemoryFile)
	if _, err = h.Lstat(dir); errors.Is(err, fs.ErrNotExist) {
		err = h.Mkdir(dir, host.Perm{Mode: 0o700})
	}
	if err == nil {
		err = h.Record(MemoryFile, append(text, '\n'), host.Perm{Mode: 0o600})
	}
	if err != nil {
		return fmt.Errorf("cannot keep what GitHub answered: %w; the next pass asks for all of it again, see to %s", err, dir)
	}
	m.changed = false
	return nil
}

// lasting are the newest of the answers that may be kept.
func (m *Memory) lasting(now time.Time) map[string]answerNote {
	keys := slices.SortedFunc(maps.Keys(m.answers), func(a, b string) int { return m.answers[b].at.Compare(m.answers[a].at) })
	notes := map[string]answerNote{}
	for _, key := range keys {
		a := m.answers[key]
		if age := now.Sub(a.at); !a.lasting || age > oldest || !json.Valid(a.body) || len(notes) == mostAnswers {
			continue
		}
		note := answerNote{At: a.at.UTC(), Header: map[string]string{}, Body: a.body}
		for _, name := range told {
			if value := a.header.Get(name); value != "" {
				note.Header[name] = value
			}
		}
		notes[key] = note
	}
	return notes
}

func (m *Memory) answer(key string) (answered, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	a, known := m.answers[key]
	return a, known
}

// put remembers an answer, and forgets all others when there are too many.
func (m *Memory) put(key string, a answered) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.answers == nil || len(m.answers) >= maxCached {
		m.answers = map[string]answered{}
	}
	m.answers[key] = a
	m.changed = m.changed || a.lasting
}

// whose names credentials at a place without telling them: answers and limits
// are another's with others.
func whose(place string, c Credentials) string {
	switch {
	case c.App != nil:
		return fmt.Sprintf("%s App %d/%d", place, c.App.ID, c.App.Installation)
	case c.Token != "":
		sum := sha256.Sum256([]byte("benchctl " + c.Token.Reveal()))
		return place + " " + hex.EncodeToString(sum[:8])
	}
	return place
}
