package standin

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"os"
	"path"
	"strings"
	"time"
)

// An Asset is a file that the server gives out: from Path, else Data.
type Asset struct {
	Name   string
	Path   string
	Data   []byte
	SHA256 string // hex; computed when empty
	// NoDigest leaves the digest out of the API, as for assets of before 2025.
	NoDigest bool
}

func (a Asset) open() (io.ReadSeekCloser, int64, error) {
	if a.Path == "" {
		return nopCloser{bytes.NewReader(a.Data)}, int64(len(a.Data)), nil
	}
	file, err := os.Open(a.Path)
	if err != nil {
		return nil, 0, err
	}
	info, err := file.Stat()
	if err != nil {
		return nil, 0, err
	}
	return file, info.Size(), nil
}

type nopCloser struct{ io.ReadSeeker }

// Close does nothing.
func (nopCloser) Close() error { return nil }

func (a Asset) digested() (Asset, error) {
	if a.SHA256 != "" {
		return a, nil
	}
	file, _, err := a.open()
	if err != nil {
		return a, err
	}
	defer file.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, file); err != nil {
		return a, err
	}
	a.SHA256 = hex.EncodeToString(hash.Sum(nil))
	return a, nil
}

// serveWeb is github.com: a release download redirects to the host of the
// assets, everything else is not there.
func (s *Server) serveWeb(w http.ResponseWriter, r *http.Request) {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	if len(parts) != 6 || parts[2] != "releases" || parts[3] != "download" || s.asset(parts[0]+"/"+parts[1], parts[4], parts[5]) == nil {
		http.Error(w, "Not Found", http.StatusNotFound)
		return
	}
	to := origin(r) + "/_assets"
	if host, _, _ := strings.Cut(r.Host, ":"); host == HostWeb {
		to = strings.Replace(origin(r), r.Host, HostAssets, 1)
	}
	http.Redirect(w, r, to+"/"+path.Join(parts[0], parts[1], parts[4], parts[5])+"?sp=r&sig=signed", http.StatusFound)
}

// serveAsset gives out the file itself.
func (s *Server) serveAsset(w http.ResponseWriter, r *http.Request) {
	parts := strings.Split(strings.Trim(strings.TrimPrefix(r.URL.Path, "/_assets"), "/"), "/")
	var found *Asset
	if len(parts) == 4 {
		found = s.asset(parts[0]+"/"+parts[1], parts[2], parts[3])
	}
	if found == nil {
		http.Error(w, "Not Found", http.StatusNotFound)
		return
	}
	if r.Header.Get("Authorization") != "" {
		s.violation("GET %s: a download carries credentials, which the host of the assets must never see", r.URL.Path)
	}
	file, _, err := found.open()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer file.Close()
	w.Header().Set("Content-Type", "application/octet-stream")
	http.ServeContent(w, r, "", time.Time{}, file)
}

func (s *Server) asset(repository, tag, name string) *Asset {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.world.releases[strings.ToLower(repository)] {
		for i := range r.assets {
			if r.tag == tag && r.assets[i].Name == name {
				return &r.assets[i]
			}
		}
	}
	return nil
}
