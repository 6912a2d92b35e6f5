package resources

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/host"
)

// Bounds of what is fetched into memory, in bytes.
const (
	maxKey = 1 << 20  // a keyring is some kilobytes
	maxDeb = 64 << 20 // the Phoronix Test Suite is about one megabyte
)

// fetchClient follows redirects as long as nobody on the way could read or
// alter what comes.
var fetchClient = &http.Client{
	Timeout: 5 * time.Minute,
	CheckRedirect: func(next *http.Request, via []*http.Request) error {
		if len(via) >= 10 {
			return errors.New("it redirects without end")
		}
		return safeURL(next.URL)
	},
}

// fetch returns the whole of a small file, given by URL or absolute path.
func fetch(ctx context.Context, r host.Reader, source string, max int64) ([]byte, error) {
	var data []byte
	var err error
	if strings.HasPrefix(source, "/") {
		data, err = readPlain(r, source, max)
	} else {
		data, err = download(ctx, source, max)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot get %s: %w", withoutQuery(source), err)
	}
	return data, nil
}

// readPlain reads a regular file of bounded size.
func readPlain(r host.Reader, path string, max int64) ([]byte, error) {
	info, err := r.Lstat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsRegular() {
		return nil, fmt.Errorf("it is no plain file (%s); give the path of the file itself", info.Type)
	}
	if info.Size > max {
		return nil, fmt.Errorf("it has %d bytes, and at most %d are expected", info.Size, max)
	}
	return r.ReadFile(path)
}

func download(ctx context.Context, source string, max int64) ([]byte, error) {
	u, err := url.Parse(source)
	if err != nil || u.Host == "" {
		return nil, errors.New("it is neither a URL nor an absolute path")
	}
	if err := safeURL(u); err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, source, nil)
	if err != nil {
		return nil, err
	}
	resp, err := fetchClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%w; check the network and apply again", withoutURL(err))
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the server answers %s; check the address", resp.Status)
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, max+1))
	if err != nil {
		return nil, fmt.Errorf("it broke off after %d bytes (%w); apply again", len(data), err)
	}
	if int64(len(data)) > max {
		return nil, fmt.Errorf("it has more than %d bytes; check the address", max)
	}
	return data, nil
}

// safeURL refuses what could be read or altered on its way: everything but
// https, and http on this very machine.
func safeURL(u *url.URL) error {
	ip := net.ParseIP(u.Hostname())
	if u.Scheme == "https" || u.Scheme == "http" && (u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()) {
		return nil
	}
	return fmt.Errorf("%s://%s is not https; give an https address or a path", u.Scheme, u.Host)
}

// withoutURL takes the address, which may hold a token, off an HTTP error.
func withoutURL(err error) error {
	var ue *url.Error
	if errors.As(err, &ue) {
		return ue.Err
	}
	return err
}

// withoutQuery is a source as it may be printed.
func withoutQuery(source string) string {
	u, err := url.Parse(source)
	if err != nil || u.Scheme == "" {
		return source
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	return u.String()
}

// hexDigest is the SHA-256 of data in lower-case hex.
func hexDigest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
