package standin

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/gzip"
)

// AptOptions say what a repository is made of.
type AptOptions struct {
	Root     string   // the path of its URL, such as /debian
	KeyPath  string   // where its key is; default Root/key.asc
	Suites   []string // codenames; "./" makes the repository flat
	Arch     string
	Packages []Deb
}

// An AptRepository is a signed apt repository, to be mounted with
// [Server.Mount] or served by itself.
type AptRepository struct {
	// Fingerprint of the key, in 40 capital hex digits.
	Fingerprint string
	// Key is the public key, armoured.
	Key []byte

	mu    sync.RWMutex
	files map[string][]byte
}

// NewAptRepository makes the packages, the lists and a key made for this
// repository alone, and signs them with it. It runs gpg in a directory of its
// own; without gpg it fails.
func NewAptRepository(o AptOptions) (*AptRepository, error) {
	r := &AptRepository{files: map[string][]byte{}}
	home, err := os.MkdirTemp("", "standin-gpg-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(home)
	signer := gpg{home}
	defer signer.close()
	if r.Fingerprint, r.Key, err = signer.generate(); err != nil {
		return nil, fmt.Errorf("cannot make the repository's key: %w; install gnupg", err)
	}
	if o.KeyPath == "" {
		o.KeyPath = path.Join(o.Root, "key.asc")
	}
	r.files[o.KeyPath] = r.Key
	list, err := r.addPackages(o)
	if err != nil {
		return nil, err
	}
	for _, suite := range o.Suites {
		if err := r.addSuite(o, suite, list, signer); err != nil {
			return nil, fmt.Errorf("cannot sign the suite %s: %w", suite, err)
		}
	}
	return r, nil
}

// addPackages builds the packages into the pool and returns the list of them.
func (r *AptRepository) addPackages(o AptOptions) ([]byte, error) {
	var list bytes.Buffer
	for _, deb := range o.Packages {
		data, err := deb.Build()
		if err != nil {
			return nil, err
		}
		file := "pool/main/" + deb.FileName()
		r.files[path.Join(o.Root, file)] = data
		fmt.Fprintf(&list, "%sFilename: %s\nSize: %d\nSHA256: %x\n\n", deb.control(), file, len(data), sha256.Sum256(data))
	}
	return list.Bytes(), nil
}

// addSuite adds the lists of one suite and its signed Release.
func (r *AptRepository) addSuite(o AptOptions, suite string, list []byte, signer gpg) error {
	dir, where, component := path.Join(o.Root, "dists", suite), "main/binary-"+o.Arch+"/", "Components: main\n"
	if strings.HasSuffix(suite, "/") {
		dir, where, component = path.Join(o.Root, suite), "", ""
	}
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	zip.Write(list)
	zip.Close() // into memory
	lists := map[string][]byte{where + "Packages": list, where + "Packages.gz": packed.Bytes()}
	release := bytes.NewBufferString(fmt.Sprintf("Origin: stand-in\nLabel: stand-in\nSuite: %[1]s\nCodename: %[1]s\nDate: %[2]s\n"+
		"Architectures: all %[3]s\n%[4]sDescription: stand-in\nSHA256:\n",
		suite, time.Now().UTC().Format(time.RFC1123), o.Arch, component))
	names := []string{where + "Packages", where + "Packages.gz"}
	for _, name := range names {
		r.files[path.Join(dir, name)] = lists[name]
		fmt.Fprintf(release, " %x %d %s\n", sha256.Sum256(lists[name]), len(lists[name]), name)
	}
	r.files[path.Join(dir, "Release")] = release.Bytes()
	for name, how := range map[string][]string{"InRelease": {"--clearsign"}, "Release.gpg": {"--detach-sign", "--armor"}} {
		signed, err := signer.run(release.Bytes(), how...)
		if err != nil {
			return err
		}
		r.files[path.Join(dir, name)] = signed
	}
	return nil
}

// ServeHTTP gives out the repository's files.
func (r *AptRepository) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.mu.RLock()
	data, found := r.files[path.Clean(req.URL.Path)]
	r.mu.RUnlock()
	if !found {
		http.NotFound(w, req)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	http.ServeContent(w, req, "", time.Time{}, bytes.NewReader(data))
}

// Paths lists what the repository has, sorted.
func (r *AptRepository) Paths() []string {
	var paths []string
	for name := range r.files {
		paths = append(paths, name)
	}
	slices.Sort(paths)
	return paths
}

// Corrupt replaces a file by data, with its signature as it was.
func (r *AptRepository) Corrupt(name string, data []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.files[name] = data
}

// gpg runs gpg with a home directory of its own.
type gpg struct{ home string }

// generate makes a key that never expires and needs no passphrase.
func (g gpg) generate() (fingerprint string, key []byte, err error) {
	const name = "benchctl stand-in <nobody@invalid>"
	if _, err := g.run(nil, "--passphrase", "", "--quick-generate-key", name, "ed25519", "sign", "never"); err != nil {
		return "", nil, err
	}
	listing, err := g.run(nil, "--with-colons", "--list-keys")
	if err != nil {
		return "", nil, err
	}
	for line := range strings.Lines(string(listing)) {
		if fields := strings.Split(line, ":"); fields[0] == "fpr" && fingerprint == "" {
			fingerprint = fields[9]
		}
	}
	key, err = g.run(nil, "--armor", "--export")
	return fingerprint, key, err
}

func (g gpg) run(input []byte, args ...string) ([]byte, error) {
	cmd := exec.Command("gpg", append([]string{"--batch", "--yes", "--quiet", "--pinentry-mode", "loopback"}, args...)...)
	cmd.Env = []string{"GNUPGHOME=" + g.home, "PATH=" + os.Getenv("PATH"), "LC_ALL=C", "HOME=" + g.home}
	cmd.Stdin = bytes.NewReader(input)
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("gpg %s: %w: %s", args[len(args)-1], err, strings.TrimSpace(said.String()))
	}
	return out.Bytes(), nil
}

// close ends the agent that gpg started for this home.
func (g gpg) close() {
	cmd := exec.Command("gpgconf", "--homedir", filepath.Clean(g.home), "--kill", "gpg-agent")
	cmd.Run() // without an agent there is none to end
}
