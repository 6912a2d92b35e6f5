package dispatch

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/SKaiNET-developers/benchctl/internal/jobs"
	"github.com/SKaiNET-developers/benchctl/internal/standin"
)

// hostile makes a zip of one entry that no workflow's own step would make.
func hostile(t *testing.T, name string, mode fs.FileMode, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	h := &zip.FileHeader{Name: name, Method: zip.Deflate}
	h.SetMode(mode)
	f, err := w.CreateHeader(h)
	if err != nil {
		t.Fatal(err)
	}
	f.Write([]byte(text))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestHostileZips(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		data []byte
		says string
	}{
		"upwards":       {hostile(t, "../x", 0o644, "x"), "leads out of its directory"},
		"absolute":      {hostile(t, "/etc/x", 0o644, "x"), "leads out of its directory"},
		"in the middle": {hostile(t, "a/../../x", 0o644, "x"), "leads out of its directory"},
		"a backslash":   {hostile(t, `..\x`, 0o644, "x"), "leads out of its directory"},
		"a link":        {hostile(t, "x", fs.ModeSymlink|0o777, "/etc"), "is no plain file"},
		"a device":      {hostile(t, "x", fs.ModeDevice|0o666, ""), "is no plain file"},
		"a bomb":        {hostile(t, "x", 0o644, strings.Repeat("0", 1<<20)), "it unpacks to more than is taken"},
		"too many":      {zipped(t, "a", "", "b", "", "c", "", "d", ""), "it holds 4 files, and 3 are unpacked at most"},
		"twice":         {zipped(t, "a", "1", "a", "2"), `"a" is in it twice`},
		"file and dir":  {zipped(t, "a", "1", "a/b", "2"), "cannot make a"},
		"deep":          {hostile(t, "a/b/c/d/e/x", 0o644, ""), "it unpacks to more than is taken"},
		"many deep":     {zipped(t, "a/", "", "b/c/d/x", ""), "it unpacks to more than is taken"},
		"a long name":   {hostile(t, strings.Repeat("a/", 3000)+"x", 0o644, ""), "has a name of 6001 bytes"},
		"a long list":   {zipped(t, strings.Repeat("a", 9000), "", strings.Repeat("b", 9000), ""), "it only lists more than is taken"},
		"no zip":        {[]byte("<html>"), "it is no zip"},
		"cut off":       {zipped(t, "a", "1")[:40], "it is no zip"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := t.TempDir()
			from, err := os.Create(filepath.Join(t.TempDir(), "zip"))
			if err != nil {
				t.Fatal(err)
			}
			defer from.Close()
			from.Write(c.data)
			_, err = unpackAs(from, filepath.Join(in, "out"), bounds{files: 3, bytes: 1 << 10, listing: 16 << 10})
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v, wanted %q", err, c.says)
			}
			if left, _ := os.ReadDir(in); len(left) > 0 {
				t.Errorf("it left %v", left)
			}
		})
	}
}

func TestWhatIsUnpackedIsPlain(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "out")
	from, err := os.Create(filepath.Join(t.TempDir(), "zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	from.Write(hostile(t, "d/x", 0o4777, "x"))
	files, err := unpackAs(from, dir, usualBounds)
	info, _ := os.Lstat(dir + "/d/x")
	if err != nil || files != 1 || info == nil || info.Mode() != 0o644 {
		t.Errorf("%d files, %v, %v", files, err, info)
	}
}

// A download that breaks off is made again; what is not what GitHub tells of is
// not kept.
func TestDownloadsThatGoWrong(t *testing.T) {
	t.Parallel()
	const link, blob = "/repos/octo/bench/actions/artifacts/*/zip", "/_blobs/actions-results/*"
	for name, c := range map[string]struct {
		fault standin.Fault
		says  string // "": it is there in the end
	}{
		"cut off once":       {standin.Fault{Path: blob, Mode: standin.CutOff, Times: 1}, ""},
		"cut off always":     {standin.Fault{Path: blob, Mode: standin.CutOff}, "was cut off"},
		"in trouble":         {standin.Fault{Path: blob, Mode: standin.Unavailable}, "answers 503; run again"},
		"in trouble once":    {standin.Fault{Path: blob, Mode: standin.Unavailable, Times: 1}, ""},
		"other bytes":        {standin.Fault{Path: blob, Mode: standin.WrongBytes}, "what came has sha256 "},
		"may not":            {standin.Fault{Path: link, Mode: standin.Forbidden}, "the repository permission `Actions: read`"},
		"expired just now":   {standin.Fault{Path: link, Mode: standin.Missing}, "cannot fetch the artifact records-"},
		"a limit is reached": {standin.Fault{Path: link, Mode: standin.PrimaryLimit}, "the rate limit of 5000 requests an hour is used up"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t, true)
			o := d.options()
			o.Download = t.TempDir()
			d.hub.Fail(c.fault)
			r, err := Run(t.Context(), o)
			if c.says == "" {
				if err != nil || r.Artifacts[0].Files != 2 {
					t.Errorf("%+v, %v\n%s", r, err, d.saidAll())
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "sig=") || r.OK || r.Run.Conclusion != success {
				t.Errorf("%+v, %v, wanted %q", r, err, c.says)
			}
			if left, _ := os.ReadDir(o.Download); len(left) > 0 {
				t.Errorf("it left %v", left)
			}
		})
	}
}

// busy is a host on which the next job has begun.
type busy struct {
	wait func() error
}

func (busy) Workers() ([]jobs.Worker, error) { return nil, nil }

func (b busy) Wait(_ context.Context, progress func(string)) error {
	progress("a job is running (process 7)")
	return b.wait()
}

// What is fetched is fetched when this host measures nothing.
func TestNothingIsFetchedDuringAJob(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]error{"until it ends": nil, "that cannot be seen": errors.New("cannot read /proc")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t, true)
			o := d.options()
			o.Download = t.TempDir()
			o.Host.Jobs = busy{func() error {
				if there, _ := os.ReadDir(o.Download); len(there) > 0 {
					t.Errorf("during a job there is %v", there)
				}
				return fault
			}}
			r, err := Run(t.Context(), o)
			if !strings.Contains(d.saidAll(), "a job is running (process 7): the artifacts are fetched when this host is idle") {
				t.Errorf("it says %s", d.saidAll())
			}
			if fault == nil && (err != nil || r.Artifacts[0].Files != 2) || fault != nil && (err == nil || !strings.Contains(err.Error(), "cannot read /proc; fetch them on another machine") || len(r.Artifacts) != 2 || r.Artifacts[0].Dir != "") {
				t.Errorf("%+v, %v", r, err)
			}
		})
	}
}

func TestSize(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{0: "0 bytes", 1 << 10: "1.0 KiB", 3 << 19: "1.5 MiB", 5 << 30: "5.0 GiB"} {
		if got := Size(n); got != want {
			t.Errorf("%d is %s, wanted %s", n, got, want)
		}
	}
}
