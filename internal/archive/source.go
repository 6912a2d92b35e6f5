package archive

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/SKaiNET-developers/benchctl/internal/host"
)

// A source is an archive being read.
type source struct {
	io.ReadCloser
	name string
	size int64 // -1 when it does not say
}

// A transientError may be gone at the next try.
type transientError struct {
	err   error
	after time.Duration // as the server asks
}

func (e *transientError) Error() string { return e.err.Error() }
func (e *transientError) Unwrap() error { return e.err }

// open begins to read a URL or an absolute path. pinned says that a digest is
// known, without which nothing is taken over a line that anyone can change.
func open(ctx context.Context, name string, pinned bool) (*source, error) {
	if strings.HasPrefix(name, "/") {
		return openFile(name, pinned)
	}
	u, err := url.Parse(name)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, errors.New("it is neither an http or https URL nor an absolute path")
	}
	if u.Scheme == "http" && !pinned && !loopback(u) {
		return nil, errors.New("plain http can be changed on its way; use https, or give the archive's sha256")
	}
	return get(ctx, u)
}

// openFile never waits on a fifo and never reads what is no plain file, since
// the path may be one that the runner's user can write.
func openFile(name string, pinned bool) (*source, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, bare(err)
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("it is no plain file (%s)", info.Mode())
	}
	if err == nil && !pinned {
		err = onlyOurs(infoOf(info))
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return &source{ReadCloser: f, name: name, size: info.Size()}, nil
}

// onlyOurs refuses a file that others can change, as long as no digest keeps
// them from it.
func onlyOurs(info host.Info) error {
	if info.UID != 0 && info.UID != os.Geteuid() || info.Mode&0o022 != 0 {
		return errors.New("others than root can change it; give the archive's sha256, or make it root's and writable by nobody else")
	}
	return nil
}

// client asks without credentials and takes proxies from the environment.
var client = &http.Client{
	Transport: &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout:   20 * time.Second,
		ResponseHeaderTimeout: 60 * time.Second,
		DisableCompression:    true, // the digest is of what is stored, not of what it unpacks to
		DisableKeepAlives:     true,
		ForceAttemptHTTP2:     true,
		ReadBufferSize:        64 << 10,
	},
	CheckRedirect: func(next *http.Request, via []*http.Request) error {
		switch {
		case len(via) > 10:
			return fmt.Errorf("%w: more than ten times", errRedirect)
		case next.URL.Scheme != "https" && via[0].URL.Scheme == "https":
			return fmt.Errorf("%w: from https to %s", errRedirect, host.Printable(next.URL.String()))
		case next.URL.Scheme != "https" && loopback(via[0].URL) && !loopback(next.URL):
			return fmt.Errorf("%w: from this machine to %s", errRedirect, host.Printable(next.URL.String()))
		}
		return nil
	},
}

var errRedirect = errors.New("it redirects as no server should")

func get(ctx context.Context, u *url.URL) (*source, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		cancel(nil)
		return nil, bare(err)
	}
	req.Header.Set("User-Agent", "benchctl")
	req.Header.Set("Accept", "application/octet-stream, */*")
	resp, err := client.Do(req)
	if err != nil {
		cancel(nil)
		if errors.Is(err, errRedirect) || errors.As(err, new(*tls.CertificateVerificationError)) {
			return nil, bare(err)
		}
		return nil, &transientError{err: fmt.Errorf("%s cannot be reached: %w", u.Host, bare(err))}
	}
	if resp.StatusCode != http.StatusOK {
		resp.Body.Close()
		cancel(nil)
		return nil, refused(resp)
	}
	return &source{ReadCloser: watch(ctx, resp.Body, cancel), name: u.String(), size: resp.ContentLength}, nil
}

// refused is a status other than 200. Only what may pass is tried again.
func refused(resp *http.Response) error {
	err := fmt.Errorf("%s answered %q", resp.Request.URL.Host, resp.Status)
	switch code := resp.StatusCode; {
	case code == http.StatusNotFound:
		return fmt.Errorf("%w; check the version and the URL", err)
	case code == http.StatusRequestTimeout, code == http.StatusTooManyRequests, code >= 500:
		seconds, _ := strconv.Atoi(resp.Header.Get("Retry-After"))
		return &transientError{err: err, after: time.Duration(seconds) * time.Second}
	}
	return err
}

// broken describes a source that failed after some bytes came.
func (s *source) broken(err error, came int64) error {
	if strings.HasPrefix(s.name, "/") {
		return bare(err)
	}
	of := ""
	if s.size >= 0 {
		of = fmt.Sprintf(" of %d", s.size)
	}
	return &transientError{err: fmt.Errorf("it broke off after %d%s bytes: %w", came, of, bare(err))}
}

func loopback(u *url.URL) bool {
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

// bare takes off what the sentence around says already, and the URL in
// http's errors, which may be one with a signature in it.
func bare(err error) error {
	var ue *url.Error
	if errors.As(err, &ue) {
		return ue.Err
	}
	var pe *os.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}
