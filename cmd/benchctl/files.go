package main

import (
	"regexp"
	"slices"
	"strings"

	"github.com/SKaiNET-developers/benchctl/internal/source"
	"github.com/SKaiNET-developers/benchctl/resources"
)

// defaultFile is where a host keeps its spec.
const defaultFile = "/etc/benchctl/runner.yaml"

// filesOr are the files that somebody named, else the host's own: the one in
// its place, or what its agent reads.
func filesOr(e *env, named []string) []string {
	if len(named) > 0 {
		return named
	}
	if _, err := e.machine.Lstat(defaultFile); err != nil {
		if files := resources.AgentSources(e.machine); len(files) > 0 {
			return files
		}
	}
	return []string{defaultFile}
}

// agentSources are what an agent would read instead of a copy of the spec: where
// some of it is fetched, and nothing typed.
func agentSources(files []string) []string {
	if !slices.ContainsFunc(files, source.IsRemote) || slices.Contains(files, source.Stdin) {
		return nil
	}
	all, err := source.Absolute(files)
	if err != nil {
		return nil // there is no directory to be in, and so no such file
	}
	return all
}

// names is the spec's files as a person calls them.
func (f *flags) names() string { return strings.Join(f.files, ", ") }

// again is what to type after a verb to have it read the same files, with a
// blank before it.
func (f *flags) again(e *env) string {
	if slices.Equal(f.files, filesOr(e, nil)) {
		return ""
	}
	var typed strings.Builder
	for _, file := range f.files {
		if !plainWord.MatchString(file) {
			file = "'" + strings.ReplaceAll(file, "'", `'\''`) + "'"
		}
		typed.WriteString(" -f " + file)
	}
	return typed.String()
}

// plainWord is what a shell reads as it is.
var plainWord = regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./-]+$`)

// fileArgs are the files as arguments.
func fileArgs(files []string) []string {
	var args []string
	for _, file := range files {
		args = append(args, "-f", file)
	}
	return args
}
