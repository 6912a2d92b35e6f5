package notify

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
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

// A webhook is an address that each message is posted to. The address may be
// itself the right to post, so no error shows more of it than the host.
type webhook struct{ *teller }

const (
	webhookLimit = 15 * time.Second
	maxReply     = 64 << 10 // bytes that are read of an answer, to use the connection again
)

func (webhook) name() string { return "webhook" }

func (webhook) limit() time.Duration { return webhookLimit }

func (w webhook) send(ctx context.Context, due, _ []Notice) (int, error) {
	to, err := w.address()
	if err != nil {
		return 0, err
	}
	if err := w.post(ctx, to, due[0]); err != nil {
		return 0, fmt.Errorf("cannot tell the webhook at %s: %w", plain(to.Hostname()), err)
	}
	return 1, nil
}

// address is where to post: from the spec, or from a file of root's.
func (w webhook) address() (*url.URL, error) {
	text, where := w.Webhook, "notify.webhook"
	if text == "" {
		where = "notify.webhookFile " + w.WebhookFile
		secret, err := private(w.host, w.WebhookFile)
		if err != nil {
			return nil, fmt.Errorf("cannot read %s: %w", where, err)
		}
		text = secret
	}
	to, err := url.Parse(text)
	if err != nil || to.Hostname() == "" || to.Scheme != "https" && to.Scheme != "http" {
		return nil, fmt.Errorf("cannot use %s: it is no https address; write the address there, and nothing else", where)
	}
	if to.Scheme == "http" && !loopback(to.Hostname()) {
		return nil, fmt.Errorf("cannot use %s: plain http lets anyone on the way read along; write https://", where)
	}
	return to, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// private reads a secret from a file that must be root's alone.
func private(r host.Reader, path string) (string, error) {
	info, err := r.Lstat(path)
	switch {
	case err != nil:
		return "", fmt.Errorf("%w; write the address there, as root, with mode 0600", reason(err))
	case !info.IsRegular() || info.Size > 4096:
		return "", errors.New("it is no short, plain file; put the address itself there")
	case info.UID != 0 || info.Mode.Perm()&0o077 != 0:
		return "", fmt.Errorf("others than root can read it; run `chown root: %s && chmod 600 %[1]s`, and make a new address if anyone may have", path)
	}
	data, err := r.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("%w; run benchctl as root", reason(err))
	}
	return strings.TrimSpace(string(data)), nil
}

func (w webhook) post(ctx context.Context, to *url.URL, n Notice) error {
	message, err := json.Marshal(n)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to.String(), bytes.NewReader(message))
	if err != nil {
		return errors.New("its address cannot be used; correct it")
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "benchctl")
	transport := http.DefaultTransport.(*http.Transport).Clone()
	defer transport.CloseIdleConnections()
	transport.MaxResponseHeaderBytes = maxReply
	if w.Dial != nil {
		transport.DialContext = w.Dial
	}
	resp, err := (&http.Client{Transport: transport, CheckRedirect: stayHome}).Do(req)
	if err != nil {
		return unreached(ctx, err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, maxReply))
	return answered(resp.StatusCode)
}

// stayHome follows a redirect only to the same host and with the message.
func stayHome(req *http.Request, via []*http.Request) error {
	first := via[0]
	if len(via) >= 5 || req.URL.Host != first.URL.Host || req.URL.Scheme != first.URL.Scheme || req.Method != first.Method {
		return http.ErrUseLastResponse
	}
	return nil
}

// answered makes a status a sentence. What else the server said stays unsaid:
// it may quote the address.
func answered(status int) error {
	switch {
	case status/100 == 2:
		return nil
	case status/100 == 3:
		return fmt.Errorf("it answers with a redirect to somewhere else (%d); write its new address into the spec, if it is its owner's", status)
	case status == http.StatusTooManyRequests || status >= 500:
		return fmt.Errorf("it is overloaded or in trouble (%d)", status)
	case status == http.StatusNotFound || status == http.StatusGone || status == http.StatusForbidden || status == http.StatusUnauthorized:
		return fmt.Errorf("it takes no message from this address (%d); make a new webhook there", status)
	}
	return fmt.Errorf("it does not take the message (%d); check that it takes JSON with a text", status)
}

// unreached says why there is no answer, without the address.
func unreached(ctx context.Context, err error) error {
	var (
		lookup *net.DNSError
		cert   *tls.CertificateVerificationError
		dial   *net.OpError
	)
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("%w; check the network, and https_proxy if there is one", interrupted(ctx, webhookLimit))
	case errors.As(err, &lookup):
		return errors.New("its name cannot be looked up; check the name and the network")
	case errors.As(err, &cert):
		return errors.New("its certificate is not trusted; check this host's clock and ca-certificates")
	case errors.As(err, &dial) && dial.Op == "dial":
		return errors.New("it cannot be connected to; check the network, and https_proxy if there is one")
	}
	return errors.New("the connection to it broke; check what listens there")
}
