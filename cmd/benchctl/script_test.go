package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/SKaiNET-developers/benchctl/internal/host/linux"
	"github.com/SKaiNET-developers/benchctl/internal/standin"
)

// The scripts in testdata/script run benchctl's real main on a machine that is
// the directory $WORK/host, and read as its manual.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"benchctl": func() {
			os.Exit(run(context.Background(), &env{
				machine: &linux.Machine{Root: os.Getenv("HOST")}, getenv: os.Getenv,
				stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr,
			}, os.Args))
		},
	})
}

func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       os.Getenv("UPDATE_SCRIPTS") != "",
		Setup: func(e *testscript.Env) error {
			e.Setenv("HOST", e.WorkDir+"/host")
			return os.MkdirAll(e.WorkDir+"/host", 0o755)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits, "github": playGitHub},
		Condition: func(name string) (bool, error) {
			if name != "root" {
				return false, fmt.Errorf("there is no condition %q", name)
			}
			return os.Geteuid() == 0, nil
		},
	})
}

// playGitHub SPEC WORKFLOW... starts a stand-in for GitHub, on which octo/bench has
// these workflows, each with a job called engine, and a runner called box that
// takes it. The spec is made to point there.
func playGitHub(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: github SPEC WORKFLOW...")
	}
	hub, err := standin.Start(standin.Options{})
	ts.Check(err)
	ts.Defer(func() {
		hub.Close()
		for _, v := range hub.Violations() {
			ts.Logf("GitHub's description does not know this: %s", v)
			ts.Fatalf("the stand-in was asked what GitHub does not answer")
		}
	})
	repo := standin.Repo("octo/bench")
	hub.AcceptToken(ts.Getenv("GITHUB_TOKEN"))
	for _, file := range args[1:] {
		path := ".github/workflows/" + filepath.Base(file)
		hub.WriteFile(repo, path, ts.ReadFile(file))
		hub.AddWorkflow(repo, standin.Workflow{
			Name: strings.TrimSuffix(filepath.Base(file), ".yml"), Path: path, Inputs: []string{"profile"},
			Jobs: []standin.Job{{Name: "engine", Labels: []string{"self-hosted", "bench-7"}}},
		})
	}
	hub.Pretend(hub.AddRunner(repo, "box", "bench-7"))
	text := strings.ReplaceAll(ts.ReadFile(args[0]), "http://127.0.0.1:1/", hub.URL()+"/")
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o644))
}

// exits CODE COMMAND... runs a command and wants exactly that exit code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND...")
	}
	want, err := strconv.Atoi(args[0])
	if err != nil {
		ts.Fatalf("exits: %q is no exit code", args[0])
	}
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("exits: %v", err)
	}
	if got != want {
		ts.Fatalf("%s ended with %d, want %d", args[1], got, want)
	}
}
