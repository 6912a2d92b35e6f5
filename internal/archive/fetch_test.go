package archive

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestFetch(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, mode := range map[string]os.FileMode{"file": 0o644, "shared": 0o666, "big": 0o644} {
		text := "text"
		if name == "big" {
			text = strings.Repeat("x", 101)
		}
		path := filepath.Join(dir, name)
		if err := errors.Join(os.WriteFile(path, []byte(text), 0o600), os.Chmod(path, mode)); err != nil {
			t.Fatal(err)
		}
	}
	if err := unix.Mkfifo(filepath.Join(dir, "fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	whole := func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("text")) }
	cut := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "50")
		w.Write([]byte("half"))
	}
	big := func(w http.ResponseWriter, _ *http.Request) { w.Write(make([]byte, 101)) }
	away := http.RedirectHandler("http://mirror.example/file", http.StatusFound).ServeHTTP
	for name, tt := range map[string]struct {
		answers []http.HandlerFunc
		path    string // instead of a server
		pinned  bool
		want    string // "" is the text
	}{
		"served":                {answers: []http.HandlerFunc{whole}},
		"served the third time": {answers: []http.HandlerFunc{cut, status(503), whole}},
		"always cut off":        {answers: []http.HandlerFunc{cut, cut, cut, cut}, want: "it broke off after 4 of 50 bytes: unexpected EOF, at the last of four tries too"},
		"missing":               {answers: []http.HandlerFunc{status(404)}, want: `"404 Not Found"`},
		"too big":               {answers: []http.HandlerFunc{big}, want: "it has more than 100 bytes; check the address"},
		"away from this host":   {answers: []http.HandlerFunc{away}, pinned: true, want: "redirects as no server should: from this machine to http://mirror.example/file"},
		"plain http":            {path: "http://mirror.example/file", want: "plain http can be changed on its way"},
		"another scheme":        {path: "ftp://127.0.0.1/file", want: "neither an http or https URL nor an absolute path"},
		"nothing":               {path: "nowhere", want: "neither an http or https URL nor an absolute path"},
		"a file":                {path: dir + "/file"},
		"a big file":            {path: dir + "/big", want: "it has more than 100 bytes"},
		"others' file":          {path: dir + "/shared", want: "others than root can change it"},
		"others', pinned":       {path: dir + "/shared", pinned: true},
		"a fifo":                {path: dir + "/fifo", want: "it is no plain file"},
		"no file":               {path: dir + "/none", want: "no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			source := tt.path
			if tt.answers != nil {
				url, _ := serve(t, tt.answers...)
				source = url + "?token=secret"
			}
			data, err := Fetch(t.Context(), source, 100, tt.pinned)
			if tt.want == "" && (err != nil || string(data) != "text") {
				t.Errorf("%q, %v", data, err)
			}
			if tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "secret")) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}
