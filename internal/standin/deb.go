package standin

import (
	"archive/tar"
	"bytes"
	"crypto/md5" // dpkg's md5sums, which nobody trusts
	"fmt"
	"path"
	"sort"
	"strings"

	"github.com/klauspost/compress/gzip"
)

// A Deb is a Debian package to be made.
type Deb struct {
	Name, Version string
	Arch          string // all, amd64, ...
	Depends       string // as in the control file; may be empty
	Description   string
	Files         []File
	Scripts       map[string]string // postinst, prerm, ...: maintainer scripts
}

// A File is one file of an archive.
type File struct {
	Path string // absolute
	Mode int64
	Data string
	Link string // if not empty a symbolic link to it
}

// FileName is the package's file name: NAME_VERSION_ARCH.deb.
func (d Deb) FileName() string {
	return fmt.Sprintf("%s_%s_%s.deb", d.Name, d.Version, d.Arch)
}

// control is the package's control file, which its entry in a repository
// starts with as well.
func (d Deb) control() string {
	size := 0
	for _, f := range d.Files {
		size += len(f.Data)
	}
	var depends string
	if d.Depends != "" {
		depends = "Depends: " + d.Depends + "\n"
	}
	return fmt.Sprintf("Package: %s\nVersion: %s\nArchitecture: %s\nMaintainer: benchctl stand-in <nobody@invalid>\n"+
		"Installed-Size: %d\n%sSection: misc\nPriority: optional\nDescription: %s\n",
		d.Name, d.Version, d.Arch, size/1024+1, depends, d.Description)
}

// Build makes the package: an ar archive of a version and two tar files.
func (d Deb) Build() ([]byte, error) {
	var sums strings.Builder
	for _, f := range d.Files {
		if f.Link == "" {
			fmt.Fprintf(&sums, "%x  %s\n", md5.Sum([]byte(f.Data)), strings.TrimPrefix(f.Path, "/"))
		}
	}
	control := []File{{Path: "/control", Mode: 0o644, Data: d.control()}, {Path: "/md5sums", Mode: 0o644, Data: sums.String()}}
	for name, script := range d.Scripts {
		control = append(control, File{Path: "/" + name, Mode: 0o755, Data: script})
	}
	sort.Slice(control, func(i, j int) bool { return control[i].Path < control[j].Path })
	controlTar, err := TarGz("./", control)
	if err != nil {
		return nil, fmt.Errorf("cannot make the package %s: %w", d.Name, err)
	}
	dataTar, err := TarGz("./", d.Files)
	if err != nil {
		return nil, fmt.Errorf("cannot make the package %s: %w", d.Name, err)
	}
	var ar bytes.Buffer
	ar.WriteString("!<arch>\n")
	for _, member := range []struct {
		name string
		data []byte
	}{{"debian-binary", []byte("2.0\n")}, {"control.tar.gz", controlTar}, {"data.tar.gz", dataTar}} {
		fmt.Fprintf(&ar, "%-16s%-12d%-6d%-6d%-8s%-10d`\n", member.name, packed.Unix(), 0, 0, "100644", len(member.data))
		ar.Write(member.data)
		if len(member.data)%2 == 1 {
			ar.WriteByte('\n')
		}
	}
	return ar.Bytes(), nil
}

// TarGz makes a tar.gz of files, root's, whose names start with prefix, and of
// the directories that they need. The same files give the same bytes.
func TarGz(prefix string, files []File) ([]byte, error) {
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	archive := tar.NewWriter(zip)
	made := map[string]bool{"/": true}
	var dir func(name string) error
	dir = func(name string) error {
		if made[name] {
			return nil
		}
		if err := dir(path.Dir(name)); err != nil {
			return err
		}
		made[name] = true
		return archive.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: prefix + strings.TrimPrefix(name, "/") + "/", Mode: 0o755, ModTime: packed})
	}
	for _, f := range files {
		if err := dir(path.Dir(path.Clean(f.Path))); err != nil {
			return nil, err
		}
		h := &tar.Header{Typeflag: tar.TypeReg, Name: prefix + strings.TrimPrefix(f.Path, "/"), Mode: f.Mode, Size: int64(len(f.Data)), ModTime: packed}
		if f.Link != "" {
			h.Typeflag, h.Linkname, h.Size, h.Mode = tar.TypeSymlink, f.Link, 0, 0o777
		}
		if err := archive.WriteHeader(h); err != nil {
			return nil, err
		}
		if f.Link == "" {
			if _, err := archive.Write([]byte(f.Data)); err != nil {
				return nil, err
			}
		}
	}
	if err := archive.Close(); err != nil {
		return nil, err
	}
	if err := zip.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
