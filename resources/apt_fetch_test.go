package resources

import (
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/SKaiNET-developers/benchctl/internal/host/hosttest"
)

func TestFetch(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	mux.HandleFunc("/file", func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("text")) })
	mux.HandleFunc("/big", func(w http.ResponseWriter, _ *http.Request) { w.Write(make([]byte, 101)) })
	mux.HandleFunc("/cut", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "50")
		w.Write([]byte("half"))
	})
	mux.Handle("/here", http.RedirectHandler("/file", http.StatusFound))
	mux.Handle("/away", http.RedirectHandler("http://mirror.example/file", http.StatusFound))
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	m := hosttest.New(t, "")
	m.WriteFile("/srv/file", "text")
	if err := os.Symlink("/etc/shadow", m.Path("/srv/link")); err != nil {
		t.Fatal(err)
	}
	for source, want := range map[string]string{
		server.URL + "/file?token=secret": "",
		server.URL + "/here":              "",
		"/srv/file":                       "",
		server.URL + "/missing?t=secret":  "the server answers 404 Not Found; check the address",
		server.URL + "/big":               "it has more than 100 bytes",
		server.URL + "/cut":               "it broke off after 4 bytes",
		server.URL + "/away":              "http://mirror.example is not https",
		"http://mirror.example/file":      "http://mirror.example is not https; give an https address or a path",
		"ftp://127.0.0.1/file":            "is not https",
		"nowhere":                         "neither a URL nor an absolute path",
		"/srv/link":                       "it is no plain file",
		"/srv/none":                       "no such file",
	} {
		data, err := fetch(t.Context(), m, source, 100)
		if want == "" && (err != nil || string(data) != "text") {
			t.Errorf("%s: %q, %v", source, data, err)
		}
		if want != "" && (err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret")) {
			t.Errorf("%s: error %v, want %q", source, err, want)
		}
	}
}
