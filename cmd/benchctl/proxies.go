package main

import (
	"os"
	"slices"

	"github.com/SKaiNET-developers/benchctl/spec"
)

// proxyVariables are those that net/http and the programs that benchctl starts
// go by.
var proxyVariables = []string{"https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY", "no_proxy", "NO_PROXY"}

// takeProxies has benchctl reach GitHub as the runner does, by the proxies of
// runner.env, unless its own environment names some. A unit's has none: a
// proxy's address may hold a password, and everybody can read a unit.
func takeProxies(e *env, s *spec.Spec) {
	if slices.ContainsFunc(proxyVariables, func(name string) bool { return e.getenv(name) != "" }) {
		return
	}
	for _, name := range proxyVariables {
		if value := s.Runner.Env[name]; value != "" {
			os.Setenv(name, value)
		}
	}
}
