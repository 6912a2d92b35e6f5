package linux

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/host"
)

func TestAccount(t *testing.T) {
	t.Parallel()
	m := &Machine{Root: t.TempDir()}
	if err := os.Mkdir(m.at("/etc"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, m.at("/etc/passwd"), "root:x:0:0:root:/root:/bin/bash\nbench:x:998:997::/var/lib/bench:/usr/sbin/nologin\nodd:x:many:1::/:/bin/sh\n")
	write(t, m.at("/etc/shadow"), "root:$y$hash:1::::::\nbench:!:1::::::\n")
	write(t, m.at("/etc/group"), "root:x:0:\nvideo:x:44:bench,root\naudio:x:29:root\nadm:x:4:bench\n")
	a, err := m.Account("bench")
	if err != nil || a.UID != 998 || a.GID != 997 || a.Home != "/var/lib/bench" || a.Shell != "/usr/sbin/nologin" ||
		a.Password != host.PasswordLocked || !a.Local || !slices.Equal(a.Groups, []string{"adm", "video"}) {
		t.Errorf("%+v, %v", a, err)
	}
	if root, err := m.Account("root"); err != nil || root.Password != host.PasswordOpen {
		t.Errorf("root: %+v, %v", root, err)
	}
	if err := os.Remove(m.at("/etc/shadow")); err != nil {
		t.Fatal(err)
	}
	if a, err := m.Account("bench"); err != nil || a.Password != host.PasswordUnseen {
		t.Errorf("without shadow(5): %+v, %v", a, err)
	}
	if _, err := m.Account("nobody-here"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	if _, err := m.Account("odd"); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestRunGivesNothingAway(t *testing.T) {
	t.Setenv("SECRET", "canary")
	m := &Machine{}
	out, err := m.Run(t.Context(), host.Command{Argv: []string{"/usr/bin/env"}, Env: []string{"A=b"}})
	if err != nil || string(out.Stdout) != "A=b\n" {
		t.Errorf("%q, %v", out.Stdout, err)
	}
	out, err = m.Run(t.Context(), host.Command{Argv: []string{"/usr/bin/env"}})
	if err != nil || len(out.Stdout) != 0 {
		t.Errorf("%q, %v", out.Stdout, err)
	}
}

// Whoever types `su` keeps a PATH without /usr/sbin, and may have a directory of
// somebody else's in front: what root runs is found in the command's own.
func TestRunLooksInTheCommandsOwnPath(t *testing.T) {
	foreign, own := t.TempDir(), t.TempDir()
	for dir, says := range map[string]string{foreign: "foreign", own: "own"} {
		if err := os.WriteFile(dir+"/tool", []byte("#!/bin/sh\necho "+says+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", foreign)
	m := &Machine{}
	out, err := m.Run(t.Context(), host.Command{Argv: []string{"tool"}, Env: []string{"A=b", "PATH=/nowhere:" + own}})
	if err != nil || string(out.Stdout) != "own\n" {
		t.Errorf("%q, %v", out.Stdout, err)
	}
	if _, err := m.Run(t.Context(), host.Command{Argv: []string{"tool"}, Env: []string{"PATH=/nowhere"}}); err == nil || err.Error() != "cannot run tool: it is not installed" {
		t.Errorf("got %v", err)
	}
}

func TestRunKeepsWhatACommandSaid(t *testing.T) {
	t.Parallel()
	var lines []string
	m := &Machine{}
	out, err := m.Run(t.Context(), host.Command{
		Argv:     []string{"/bin/sh", "-c", "cat; echo two; echo oops >&2; exit 3"},
		Stdin:    []byte("one\n"),
		Progress: func(line string) { lines = append(lines, line) },
	})
	var ce *host.CommandError
	if !errors.As(err, &ce) || ce.Status != 3 || !strings.Contains(err.Error(), "ended with status 3: oops") {
		t.Errorf("got %v", err)
	}
	if string(out.Stdout) != "one\ntwo\n" || len(lines) != 3 {
		t.Errorf("%q, %q", out.Stdout, lines)
	}
}

func TestRunEndsTheWholeSession(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	m := &Machine{}
	_, err := m.Run(ctx, host.Command{Argv: []string{"/bin/sh", "-c", "sleep 600 & wait"}, Env: []string{"PATH=/usr/bin:/bin"}})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func TestLockNamesItsHolder(t *testing.T) {
	t.Parallel()
	m := &Machine{Root: t.TempDir()}
	release, err := m.Lock(t.Context(), "apply")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Lock(t.Context(), "revert"); !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), "benchctl apply, process") {
		t.Errorf("got %v", err)
	}
	release()
	again, err := m.Lock(t.Context(), "revert")
	if err != nil {
		t.Fatal(err)
	}
	again()
	// Whoever may open the file may lock it, and keep benchctl from its work.
	if info, err := m.Lstat("/run/benchctl/lock"); err != nil || info.Mode != 0o600 {
		t.Errorf("%v, %v", info.Mode, err)
	}
}

func TestExclusiveWaitsForItsTurn(t *testing.T) {
	t.Parallel()
	root := t.TempDir() // one machine, and several processes' view of it
	var inside, most, turns atomic.Int32
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			m := &Machine{Root: root}
			for range 25 {
				release, err := m.Exclusive("knobs")
				if err != nil {
					t.Error(err)
					return
				}
				most.Store(max(most.Load(), inside.Add(1)))
				turns.Add(1)
				inside.Add(-1)
				release()
			}
		})
	}
	all.Wait()
	if most.Load() != 1 || turns.Load() != 100 {
		t.Errorf("%d at once, %d turns", most.Load(), turns.Load())
	}
	m := &Machine{Root: root}
	release, err := m.Exclusive("other things") // another name is another matter
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	if info, err := m.Lstat("/run/benchctl/knobs.lock"); err != nil || info.Mode != 0o600 {
		t.Errorf("%v, %v", info.Mode, err)
	}
}

func TestUnitOf(t *testing.T) {
	t.Parallel()
	u := unitOf("x.service", map[string]any{
		"LoadState": "loaded", "MainPID": uint32(42), "InvocationID": []byte{0xab, 0xcd},
		"DropInPaths": []string{"/etc/x"}, "NeedDaemonReload": true, "ActiveEnterTimestamp": uint64(1_000_000),
	})
	if u.LoadState != "loaded" || u.MainPID != 42 || u.InvocationID != "abcd" || len(u.DropInPaths) != 1 || !u.NeedReload || u.ActiveSince.Unix() != 1 {
		t.Errorf("%+v", u)
	}
}

func TestLinesHandsOnWholeLines(t *testing.T) {
	t.Parallel()
	var got []string
	l := &lines{progress: func(s string) { got = append(got, s) }}
	for _, part := range []string{"one\ntw", "o\n", strings.Repeat("x", 10000), "\nend"} {
		_, _ = l.Write([]byte(part))
	}
	if len(got) != 3 || got[1] != "two" {
		t.Errorf("got %d lines: %.60q", len(got), got)
	}
}
