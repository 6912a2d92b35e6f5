package resources

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"reflect"
	"slices"

	"github.com/SKaiNET-developers/benchctl/internal/host"
)

// broughtFile lists what benchctl brought onto the host that looks, afterwards,
// like anybody's: what a removal takes away again, and nothing else. A line is
// written before the thing itself is there, so that no kill comes in between.
// Without the file a removal does not guess: it leaves those things and says so.
const broughtFile = "/var/lib/benchctl/brought.json"

// brought are the contents of broughtFile. All lists are sorted.
type brought struct {
	// Packages are those that apt installed anew for benchctl.
	Packages []string `json:"packages,omitempty"`
	// Account is the one that benchctl made, with a group of its name.
	Account string `json:"account,omitempty"`
	// Trees are directories that belong to the runner with all that is in them;
	// Parents were made on the way to something and may hold others' files now.
	Trees   []string `json:"trees,omitempty"`
	Parents []string `json:"parents,omitempty"`
	// Binary is where benchctl copied itself to.
	Binary string `json:"binary,omitempty"`
}

func readBrought(r host.Reader) (b brought, err error) {
	text, err := r.ReadFile(broughtFile)
	if errors.Is(err, fs.ErrNotExist) {
		return brought{}, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &b)
	}
	if err != nil {
		return brought{}, fmt.Errorf("cannot tell what benchctl brought onto this host: %s: %w; move it aside to go on without it, and remove will leave those things", broughtFile, err)
	}
	return b, nil
}

func (b brought) write(h host.Host) error {
	text, err := json.MarshalIndent(b, "", "  ")
	if err != nil {
		return err
	}
	if err := h.Mkdir(path.Dir(broughtFile), host.Perm{Mode: 0o700}); err != nil {
		return err
	}
	return h.Replace(broughtFile, append(text, '\n'), host.Perm{Mode: 0o600})
}

// bring notes what is about to be brought, on the disk when it returns.
func bring(h host.Host, note func(*brought)) error {
	was, err := readBrought(h)
	if err != nil {
		return err
	}
	is := was
	note(&is)
	if reflect.DeepEqual(was, is) {
		return nil
	}
	return is.write(h)
}

// bringTree notes a directory that is about to be made, and those above it that
// are to be made with it. What is there already is somebody else's.
func bringTree(h host.Host, dir string) error {
	if there, err := exists(h, dir); err != nil || there {
		return err
	}
	return bring(h, func(b *brought) {
		b.Trees = with(b.Trees, dir)
		b.addParents(h, path.Dir(dir))
	})
}

// bringParents notes the directories that are about to be made on the way.
func bringParents(h host.Host, dir string) error {
	return bring(h, func(b *brought) { b.addParents(h, dir) })
}

func (b *brought) addParents(r host.Reader, dir string) {
	for ; dir != "/"; dir = path.Dir(dir) {
		if there, err := exists(r, dir); err != nil || there {
			return
		}
		if !slices.Contains(b.Trees, dir) {
			b.Parents = with(b.Parents, dir)
		}
	}
}

// with returns a sorted list with the names in it, each once. The list itself
// is not changed.
func with(list []string, names ...string) []string {
	all := slices.Concat(list, names)
	slices.Sort(all)
	return slices.Compact(all)
}
