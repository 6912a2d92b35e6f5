package standin

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

// The names of GitHub's own hosts that a [Server] plays.
const (
	HostAPI    = "api.github.com"
	HostWeb    = "github.com"
	HostAssets = "release-assets.githubusercontent.com"
	HostBroker = "broker.actions.githubusercontent.com"
)

// Options say how a [Server] is to be started. The zero value listens with
// plain HTTP on a free port of 127.0.0.1.
type Options struct {
	// Address is a loopback address such as 127.7.0.1 to listen on with TLS on
	// port 443 and plain HTTP on port 80.
	Address string
	// Unheard listens nowhere: whoever starts the server gives it listeners,
	// with Serve and ServeTLS.
	Unheard bool
	// Names are further host names that the certificate is for, such as ghes.example.
	Names []string
	// Seed makes the random windows of the jobs repeatable.
	Seed uint64
	// Windows are the lengths of the steps of a job's hand-over.
	Windows Windows
	// Check, if not nil, holds every exchange to GitHub's description.
	Check Checker
}

// A Server is a stand-in GitHub. Its methods may be called from any goroutine.
type Server struct {
	options Options
	windows Windows
	ca      *authority
	routes  []route
	servers []*http.Server
	base    string // http://127.0.0.1:PORT, or https://github.com
	stopped context.Context
	stop    context.CancelFunc

	mu         sync.Mutex
	world      world
	broker     broker
	faults     []*Injected
	violations []string
	mounts     map[string]http.Handler

	noting   sync.Mutex // of requests, taken with mu held or not
	requests []Request
}

// Start makes a server and has it listen. Close ends it.
func Start(o Options) (*Server, error) {
	ca, err := newAuthority()
	if err != nil {
		return nil, fmt.Errorf("cannot make the stand-in's certificate authority: %w", err)
	}
	s := &Server{
		options: o, ca: ca, base: "https://" + HostWeb,
		world:  newWorld(),
		mounts: map[string]http.Handler{},
	}
	s.stopped, s.stop = context.WithCancel(context.Background())
	s.windows = o.Windows.withDefaults()
	s.broker.ttl = s.windows.SessionTTL
	s.broker.changed = make(chan struct{})
	s.routes = s.routing()
	if err := s.listen(); err != nil {
		s.Close()
		return nil, fmt.Errorf("cannot start the stand-in on %q: %w; choose a free loopback address", o.Address, err)
	}
	return s, nil
}

func (s *Server) listen() error {
	if s.options.Unheard {
		return nil
	}
	if s.options.Address == "" {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		s.base = "http://" + l.Addr().String()
		return s.Serve(l)
	}
	plain, err := net.Listen("tcp", net.JoinHostPort(s.options.Address, "80"))
	if err != nil {
		return err
	}
	if err := s.Serve(plain); err != nil {
		return err
	}
	secure, err := net.Listen("tcp", net.JoinHostPort(s.options.Address, "443"))
	if err != nil {
		return err
	}
	return s.ServeTLS(secure)
}

// Serve answers plain HTTP on l as well, until Close. Its error is always
// nil; it is there so that Serve and ServeTLS can be used alike.
func (s *Server) Serve(l net.Listener) error {
	srv := &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second}
	s.mu.Lock()
	s.servers = append(s.servers, srv)
	s.mu.Unlock()
	go srv.Serve(l)
	return nil
}

// ServeTLS answers HTTPS on l as well, until Close.
func (s *Server) ServeTLS(l net.Listener) error {
	cert, err := s.ca.issue(append(s.Hosts(), "127.0.0.1", s.options.Address))
	if err != nil {
		return err
	}
	return s.Serve(tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"http/1.1"}}))
}

// Close ends the server and every request in it.
func (s *Server) Close() error {
	s.stop()
	var errs []error
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, srv := range s.servers {
		errs = append(errs, srv.Close())
	}
	return errors.Join(errs...)
}

// CA returns the certificate, in PEM, that a client must trust.
func (s *Server) CA() []byte { return s.ca.pem }

// Hosts lists every name that the server plays, for a host's /etc/hosts.
func (s *Server) Hosts() []string {
	names := []string{HostWeb, HostAPI, HostAssets, HostBroker, HostBlobs, HostAdoptium}
	for _, name := range s.options.Names {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// URL is where the server plays github.com: https://github.com when it has an
// address of its own, else http://127.0.0.1:PORT, whose API is below /api/v3/.
func (s *Server) URL() string { return s.base }

// Mount has handler answer every request to the host of that name. Name it in
// Options.Names too if it is to be reached over HTTPS.
func (s *Server) Mount(host string, handler http.Handler) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mounts[host] = handler
}
