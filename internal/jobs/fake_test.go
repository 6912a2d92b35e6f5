package jobs

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// fake is a /proc in a directory, with one runner installed beside it.
type fake struct {
	t    testing.TB
	root string // the directory that plays /proc
	keep *Keeper
}

func newFake(t testing.TB) *fake {
	t.Helper()
	base := t.TempDir()
	f := &fake{t: t, root: filepath.Join(base, "proc")}
	dir := filepath.Join(base, "actions-runner")
	for _, d := range []string{f.root, filepath.Join(dir, "bin.2.336.0"), filepath.Join(dir, "_diag")} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("bin.2.336.0", filepath.Join(dir, "bin")); err != nil {
		t.Fatal(err)
	}
	f.write("uptime", "1000.00 3900.00\n")
	f.keep = &Keeper{
		runner: Runner{Dir: dir, Unit: "actions.runner.o-r.bench.service", UID: 999},
		proc:   proc(f.root),
		perf:   filepath.Join(base, "Runner.perf"),
	}
	return f
}

func (f *fake) write(name, text string) {
	f.t.Helper()
	name = filepath.Join(f.root, name)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		f.t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fake) link(name, target string) {
	f.t.Helper()
	name = filepath.Join(f.root, name)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		f.t.Fatal(err)
	}
	if err := os.Symlink(target, name); err != nil {
		f.t.Fatal(err)
	}
}

// process adds a process that started 100 seconds ago. An exe of "" is one
// that the kernel will not tell.
func (f *fake) process(pid int, comm, exe string) {
	f.t.Helper()
	at := fmt.Sprint(pid)
	f.write(at+"/comm", comm+"\n")
	f.write(at+"/stat", f.stat(pid, comm, 'S'))
	f.write(at+"/status", "Name:\t"+comm+"\nUid:\t999\t999\t999\t999\n")
	f.write(at+"/task/"+at+"/stat", f.stat(pid, comm, 'S'))
	f.write(at+"/cgroup", "0::/system.slice/other.service\n")
	if exe != "" {
		f.link(at+"/exe", exe)
	} else {
		f.write(at+"/exe", "readlink of this fails with EINVAL")
	}
}

func (f *fake) stat(pid int, comm string, state rune) string {
	return fmt.Sprintf("%d (%s) %c 1 1 1 0 -1 4194560 1 0 0 0 1 1 0 0 20 0 9 0 90000 1 1 1\n", pid, comm, state)
}

// listener adds the runner's Listener, as process 50, with its log open.
func (f *fake) listener(diag string) {
	f.t.Helper()
	f.process(50, listenerName, filepath.Join(f.keep.runner.Dir, "bin.2.336.0", listenerName))
	f.link("50/fd/7", f.diag(diag))
}

// diag makes the Listener's log say something, and returns its name.
func (f *fake) diag(text string) string {
	f.t.Helper()
	log := filepath.Join(f.keep.runner.Dir, "_diag", "Runner_20261123-120000-utc.log")
	if err := os.WriteFile(log, []byte(text), 0o644); err != nil {
		f.t.Fatal(err)
	}
	return log
}

func (f *fake) perf(lines ...string) {
	f.t.Helper()
	if err := os.WriteFile(f.keep.perf, []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
		f.t.Fatal(err)
	}
}

// counter is a line of the perf log, age ago.
func counter(name string, age time.Duration) string {
	return name + ":" + time.Now().Add(-age).UTC().Format("2006-01-02T15:04:05.0000000Z")
}

// trace is a line of the diagnostics, age ago.
func trace(text string, age time.Duration) string {
	return time.Now().Add(-age).UTC().Format("[2006-01-02 15:04:05Z INFO JobDispatcher] ") + text + "\n"
}
