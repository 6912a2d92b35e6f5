package resources

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/host"
)

// manifestName is the list of what was unpacked. It lies beside what it lists,
// so that it lives and dies with it; it is root's in a sticky directory, so
// that no job can write another. It is the last file of an installation to be
// written and the first to go when the next begins: where it is missing, an
// installation is not whole.
const manifestName = ".benchctl-manifest"

// A manifest is one line of text for each file, in two sections with a blank
// line between: first the files that every pass looks at, so that a pass does
// not even read about the others.
//
//	benchctl manifest 1 2.336.0 <sha256 of the archive>
//	f 0755 71234 <mtime> <ctime> <inode> <sha256> bin.2.336.0/Runner.Listener
//	d 0755 4096 <mtime> <ctime> <inode> - bin.2.336.0
//	l 0777 7 <mtime> <ctime> <inode> - externals.2.336.0/node20/bin/npm<TAB>target
//
// Times are nanoseconds since 1970. Everything is root's, or the user's with
// AutoUpdate, so the owner is not in it.
type manifest struct {
	version string
	archive string
	whole   bool // both sections were read
	files   []host.UnpackedFile
}

const manifestHead = "benchctl manifest 1 "

// readManifest returns nil when there is none, or none that can be used.
func readManifest(r host.Reader, dir string, whole bool) (*manifest, error) {
	at := dir + "/" + manifestName
	info, err := r.Lstat(at)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if !info.IsRegular() || info.UID != 0 {
		return nil, nil // the user's own: it says nothing
	}
	f, err := r.Open(at)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return parseManifest(f, whole)
}

func parseManifest(r io.Reader, whole bool) (*manifest, error) {
	in := bufio.NewScanner(r)
	if !in.Scan() {
		return nil, in.Err()
	}
	head, ok := strings.CutPrefix(in.Text(), manifestHead)
	version, archive, _ := strings.Cut(head, " ")
	if !ok || !versionShape.MatchString(version) {
		return nil, nil
	}
	m := &manifest{version: version, archive: archive, whole: whole}
	for in.Scan() {
		switch line := in.Text(); {
		case line != "":
			f, ok := parseEntry(line)
			if !ok {
				return nil, nil
			}
			m.files = append(m.files, f)
		case !whole:
			return m, nil
		}
	}
	return m, in.Err()
}

var manifestTypes = map[fs.FileMode]byte{0: 'f', fs.ModeDir: 'd', fs.ModeSymlink: 'l'}

func parseEntry(line string) (f host.UnpackedFile, ok bool) {
	part := strings.SplitN(line, " ", 8)
	if len(part) != 8 {
		return f, false
	}
	for kind, letter := range manifestTypes {
		if part[0] == string(letter) {
			f.Type, ok = kind, true
		}
	}
	mode, err1 := strconv.ParseUint(part[1], 8, 12)
	size, err2 := strconv.ParseInt(part[2], 10, 64)
	mtime, err3 := strconv.ParseInt(part[3], 10, 64)
	ctime, err4 := strconv.ParseInt(part[4], 10, 64)
	inode, err5 := strconv.ParseUint(part[5], 10, 64)
	f.Mode, f.Size, f.Inode = fs.FileMode(mode), size, inode
	f.Mtime, f.Ctime = time.Unix(0, mtime), time.Unix(0, ctime)
	f.SHA256 = part[6]
	f.Path, f.Target, _ = strings.Cut(part[7], "\t")
	return f, ok && errors.Join(err1, err2, err3, err4, err5) == nil
}

func (m *manifest) text() []byte {
	slices.SortFunc(m.files, func(a, b host.UnpackedFile) int { return strings.Compare(a.Path, b.Path) })
	text := fmt.Appendf(nil, "%s%s %s\n", manifestHead, m.version, m.archive)
	var rest []byte
	for _, f := range m.files {
		if watched(f) {
			text = appendEntry(text, f)
		} else {
			rest = appendEntry(rest, f)
		}
	}
	return append(append(text, '\n'), rest...)
}

func appendEntry(b []byte, f host.UnpackedFile) []byte {
	sum := f.SHA256
	if sum == "" {
		sum = "-"
	}
	b = fmt.Appendf(b, "%c %04o %d %d %d %d %s %s", manifestTypes[f.Type], f.Mode.Perm(), f.Size,
		f.Mtime.UnixNano(), f.Ctime.UnixNano(), f.Inode, sum, f.Path)
	if f.Target != "" {
		b = append(append(b, '\t'), f.Target...)
	}
	return append(b, '\n')
}

// watched chooses what every pass looks at; the rest, which is mostly the
// scripts and documents of the bundled npm, only Verify does.
//
// Nobody but root can change any of it, so what is to be noticed is an
// operator's hand, a package or a tool that went astray. A file that is made,
// removed or replaced changes its directory's mtime, and every directory is
// watched; so what can slip through is a file written in place, outside bin,
// that is neither executable nor a library. Looking at all 9,000 would cost
// more than everything else of a pass together.
func watched(f host.UnpackedFile) bool {
	top, _, below := strings.Cut(f.Path, "/")
	switch {
	case !below, f.IsDir(), !f.IsRegular(), strings.HasPrefix(top, "bin."):
		return true
	case f.Mode&0o111 != 0:
		return true
	}
	name := path.Base(f.Path)
	return strings.HasSuffix(name, ".node") || strings.HasSuffix(name, ".so") || strings.Contains(name, ".so.")
}
