package github

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"syscall"

	"github.com/bradleyfalzon/ghinstallation/v2"
)

// network explains why there is no answer, or none that can be used.
func (c *Client) network(at string, err error) *sentence {
	var (
		lookup  *net.DNSError
		cert    *tls.CertificateVerificationError
		plain   tls.RecordHeaderError
		timeout net.Error
	)
	switch {
	case errors.Is(err, context.Canceled):
		return say("it was interrupted; run again")
	case errors.As(err, &lookup) && lookup.IsNotFound:
		return say("there is no host called %s; check runner.url, the network and /etc/resolv.conf", lookup.Name)
	case errors.As(err, &lookup):
		return say("the name %s could not be looked up; check the network and /etc/resolv.conf", lookup.Name)
	case errors.As(err, &cert):
		return say("the certificate of %s is not trusted (%s); check this host's clock and ca-certificates, and add a private CA to /usr/local/share/ca-certificates", at, tidy(c.scrub(cert.Err.Error())))
	case errors.As(err, &plain), errors.Is(err, http.ErrSchemeMismatch):
		return say("%s does not speak TLS; check runner.url and https_proxy", at)
	case errors.Is(err, syscall.ECONNREFUSED):
		return say("%s refuses connections; check runner.url, and https_proxy if there is one", at)
	case errors.Is(err, errNotJSON):
		return say("%v; check whether a proxy or a login page answers in the place of %s", err, at)
	case errors.Is(err, errTooBig):
		return say("%v; check whether %s is GitHub", errTooBig, at)
	case errors.Is(err, errRedirect):
		return say("%v; if it was renamed or moved, put its new address into runner.url", errRedirect)
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return say("%s did not answer in time; check the network, and https_proxy if there is one", at)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET):
		return say("the connection to %s was cut off; run again", at)
	}
	return say("%s; check the network and run again", tidy(c.scrub(err.Error())))
}

// passing reports whether a failure to reach GitHub may pass by itself.
func passing(err error) bool {
	var (
		lookup *net.DNSError
		cert   *tls.CertificateVerificationError
		plain  tls.RecordHeaderError
		app    *ghinstallation.HTTPError
	)
	switch {
	case errors.As(err, &lookup):
		return !lookup.IsNotFound
	case errors.As(err, &app) && app.Response != nil:
		return app.Response.StatusCode >= 500
	case errors.As(err, &cert), errors.As(err, &plain), errors.Is(err, http.ErrSchemeMismatch), errors.Is(err, errNotJSON):
		return false
	}
	return true
}
