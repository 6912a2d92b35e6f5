package standin_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/standin"
	"github.com/SKaiNET-developers/benchctl/internal/standin/openapi"
)

func TestEveryEndpointHasASource(t *testing.T) {
	t.Parallel()
	srv := newServer(t, standin.Options{})
	var beyond []string
	for _, shape := range standin.Beyond {
		beyond = append(beyond, shape.Endpoint)
		if shape.Source == "" {
			t.Errorf("%s has no source", shape.Endpoint)
		}
	}
	endpoints := srv.Endpoints()
	parameter := regexp.MustCompile(`\{[^}]*\}`)
	for _, endpoint := range endpoints {
		method, path, _ := strings.Cut(parameter.ReplaceAllString(endpoint, "1"), " ")
		described, _ := openapi.GitHub().Check(standin.Exchange{Method: method, Path: path, Status: http.StatusNotFound})
		if described == slices.Contains(beyond, endpoint) {
			t.Errorf("%s: in GitHub's description %v, in the table beyond it %v; want one", endpoint, described, !described)
		}
	}
	for _, endpoint := range beyond {
		if !slices.Contains(endpoints, endpoint) {
			t.Errorf("the table has %s, which the server does not answer", endpoint)
		}
	}
}

func TestSeedsRepeatTheWindows(t *testing.T) {
	t.Parallel()
	steps := func(seed uint64) []standin.Steps {
		srv := newServer(t, standin.Options{Seed: seed, Windows: standin.UpTo(time.Second)})
		var list []standin.Steps
		for range 20 {
			srv.Enqueue(standin.Job{})
		}
		for _, j := range srv.Jobs() {
			list = append(list, j.Steps)
		}
		return list
	}
	one, again, two := steps(1), steps(1), steps(2)
	if !slices.Equal(one, again) {
		t.Errorf("the same seed gave\n%v and\n%v", one, again)
	}
	if slices.Equal(one, two) || one[0] == one[1] {
		t.Errorf("windows do not differ: %v, %v", one, two)
	}
	for _, s := range one {
		for _, d := range []time.Duration{s.Delivery, s.Acknowledge, s.Acquire, s.Renew, s.Spawn} {
			if d < 0 || d >= time.Second {
				t.Errorf("a window of %v, want less than a second", d)
			}
		}
	}
}

func TestOwnAddress(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root may listen on ports 80 and 443")
	}
	const address = "127.93.21.7"
	srv := newServer(t, standin.Options{Address: address})
	if srv.URL() != "https://github.com" || !slices.Contains(srv.Hosts(), standin.HostBroker) {
		t.Errorf("URL %s, hosts %v", srv.URL(), srv.Hosts())
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(srv.CA())
	client := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
	for _, base := range []string{"http://" + address, "https://" + address} {
		resp, err := client.Get(base + "/api/v3/rate_limit")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("%s: %s", base, resp.Status)
		}
	}
	if _, err := standin.Start(standin.Options{Address: address}); err == nil || !strings.Contains(err.Error(), "choose a free loopback address") {
		t.Errorf("a second one there: %v", err)
	}
}

func TestMountedHostAnswersForItself(t *testing.T) {
	t.Parallel()
	srv := newServer(t, standin.Options{})
	srv.Mount("files.example", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("mounted")) }))
	req, err := http.NewRequest("GET", srv.URL()+"/any", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = "files.example:80"
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var body bytes.Buffer
	body.ReadFrom(resp.Body)
	if body.String() != "mounted" {
		t.Errorf("got %q", body.String())
	}
	if r := srv.Requests(); len(r) != 1 || r[0].Host != "files.example" {
		t.Errorf("recorded %v", r)
	}
}
