package standin

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/SKaiNET-developers/benchctl/internal/standin/runner"
)

//go:embed all:tree
var tree embed.FS

// A PackageShape is the shape of the runner's package.
type PackageShape int

const (
	// Small holds just what runs.
	Small PackageShape = iota
	// Real is padded to the real one's shape: about 9,000 files, 700 MB
	// unpacked and 200 MB packed, of which about a third compresses hardly at all.
	Real
)

// ArchiveOptions say what a runner's package is made of.
type ArchiveOptions struct {
	// Version of the runner, such as 2.336.0.
	Version string
	// Binary is the path of a static program that calls [runner.Main] when its
	// own name is one of [runner.Names].
	Binary string
	// Dir is where the package is put, and found again the next time.
	Dir string
	// Shape is Small or Real.
	Shape PackageShape
	// NeedsICU has config.sh refuse a host without libicu, as the real one does.
	NeedsICU bool
	// Defect makes a version whose listener never takes a job; "" is a sound one.
	Defect runner.Defect
}

// RunnerArchive makes the runner's package, actions-runner-linux-x64-VERSION.tar.gz
// in a directory of its own below Dir, unless it is there already, and returns
// it with its digest. The same options give the same bytes.
func RunnerArchive(o ArchiveOptions) (Asset, error) {
	binary, err := os.ReadFile(o.Binary)
	if err != nil {
		return Asset{}, fmt.Errorf("cannot make the runner's package: %w", err)
	}
	sum := sha256.New()
	fmt.Fprintln(sum, o.Version, o.Shape, o.NeedsICU, o.Defect, formOf(tree))
	sum.Write(binary)
	dir := filepath.Join(o.Dir, hex.EncodeToString(sum.Sum(nil))[:16])
	name := "actions-runner-linux-x64-" + o.Version + ".tar.gz"
	asset := Asset{Name: name, Path: filepath.Join(dir, name)}
	if _, err := os.Stat(asset.Path); err != nil {
		if err := packRunner(asset.Path, o, binary); err != nil {
			return Asset{}, fmt.Errorf("cannot make the runner's package: %w", err)
		}
	}
	return asset.digested()
}

// formOf is a digest of the scripts, so that a changed script makes a new package.
func formOf(scripts fs.FS) string {
	sum := sha256.New()
	fs.WalkDir(scripts, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(scripts, path)
		fmt.Fprintln(sum, path, len(data))
		sum.Write(data)
		return err
	})
	return hex.EncodeToString(sum.Sum(nil))
}

// packRunner writes the package beside its place and renames it whole.
func packRunner(to string, o ArchiveOptions, binary []byte) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	file, err := os.CreateTemp(filepath.Dir(to), ".making-*")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	defer file.Close()
	zip, err := gzip.NewWriterLevel(file, gzip.BestSpeed)
	if err != nil {
		return err
	}
	p := &packer{tar: tar.NewWriter(zip)}
	p.runner(o, binary)
	if o.Shape == Real {
		p.padding()
	}
	for _, end := range []func() error{func() error { return p.err }, p.tar.Close, zip.Close, file.Sync} {
		if err := end(); err != nil {
			return err
		}
	}
	if err := os.Chmod(file.Name(), 0o644); err != nil {
		return err
	}
	return os.Rename(file.Name(), to)
}

// A packer writes entries until the first error, which it keeps.
type packer struct {
	tar  *tar.Writer
	dirs map[string]bool
	err  error
}

// packed is the time of every entry: the same input gives the same bytes.
var packed = time.Date(2026, 7, 20, 12, 0, 0, 0, time.UTC)

func (p *packer) entry(h *tar.Header, body io.Reader) {
	if p.err != nil {
		return
	}
	h.ModTime, h.Uid, h.Gid, h.Uname, h.Gname = packed, 1001, 127, "runner", "docker"
	if p.err = p.tar.WriteHeader(h); p.err == nil && body != nil {
		_, p.err = io.Copy(p.tar, body)
	}
}

// dir makes every directory down to name that is not there yet.
func (p *packer) dir(name string) {
	if p.dirs[name] {
		return
	}
	if p.dirs == nil {
		p.dirs = map[string]bool{}
	}
	if name != "." {
		p.dir(path.Dir(name))
	}
	p.dirs[name] = true
	p.entry(&tar.Header{Typeflag: tar.TypeDir, Name: "./" + strings.TrimPrefix(name+"/", "./"), Mode: 0o755}, nil)
}

func (p *packer) file(name string, mode int64, data []byte) {
	p.dir(path.Dir(name))
	p.entry(&tar.Header{Typeflag: tar.TypeReg, Name: "./" + name, Mode: mode, Size: int64(len(data))}, bytes.NewReader(data))
}

func (p *packer) link(name, target string) {
	p.dir(path.Dir(name))
	p.entry(&tar.Header{Typeflag: tar.TypeSymlink, Name: "./" + name, Linkname: target, Mode: 0o777}, nil)
}

// runner packs what runs: the scripts, the three programs and the version.
func (p *packer) runner(o ArchiveOptions, binary []byte) {
	err := fs.WalkDir(tree, "tree", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := tree.ReadFile(name)
		mode := int64(0o755)
		if strings.HasSuffix(name, ".template") || strings.HasSuffix(name, ".js") {
			mode = 0o644
		}
		p.file(strings.TrimPrefix(name, "tree/"), mode, data)
		return err
	})
	if p.err == nil {
		p.err = err
	}
	for _, name := range []string{"bin/Runner.Listener", "bin/Runner.Worker", "externals/node20/bin/node"} {
		p.file(name, 0o755, binary)
	}
	p.file("bin/Runner.Listener.deps.json", 0o644, fmt.Appendf(nil,
		"{\n  \"runtimeTarget\": {\"name\": \".NETCoreApp,Version=v8.0/linux-x64\"},\n"+
			"  \"libraries\": {\n    \"Runner.Listener/%s\": {\"type\": \"project\", \"serviceable\": false, \"sha512\": \"\"}\n  }\n}\n", o.Version))
	if o.NeedsICU {
		p.file("bin/needs-libicu", 0o644, nil)
	}
	if o.Defect != "" {
		p.file(runner.DefectFile, 0o644, []byte(o.Defect))
	}
	const npm = "externals/node20/lib/node_modules/npm/"
	p.file(npm+"bin/npm-cli.js", 0o755, []byte("// stand-in\n"))
	p.file(npm+"bin/npx-cli.js", 0o755, []byte("// stand-in\n"))
	p.file(npm+"package.json", 0o644, []byte("{\"name\": \"npm\"}\n"))
	p.link("externals/node20/bin/npm", "../lib/node_modules/npm/bin/npm-cli.js")
	p.link("externals/node20/bin/npx", "../lib/node_modules/npm/bin/npx-cli.js")
	p.link("externals/node20/bin/corepack", "../lib/node_modules/npm/package.json")
}
