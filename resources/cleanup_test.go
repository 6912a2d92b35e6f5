package resources

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/internal/host/hosttest"
	"github.com/SKaiNET-developers/benchctl/reconcile"
	"github.com/SKaiNET-developers/benchctl/spec"
)

const day = 24 * time.Hour

// leave puts what a job leaves into the runner's directory: a file below name,
// or name itself if it has a dot, all of one age and the runner's user's.
func leave(t *testing.T, m *hosttest.Machine, name string, age time.Duration) {
	t.Helper()
	file := name
	if !strings.Contains(filepath.Base(name), ".") {
		file += "/" + filepath.Base(name) + "/file.txt"
	}
	m.WriteFile(laneDir+"/"+file, "left")
	for at := file; at != "_work" && at != "_diag" && at != "."; at = filepath.Dir(at) {
		own(t, m, at, age)
	}
}

// own gives a file to the runner's user, changed and read some time ago.
func own(t *testing.T, m *hosttest.Machine, name string, age time.Duration) {
	t.Helper()
	at := m.Path(laneDir + "/" + name)
	then := unix.NsecToTimespec(time.Now().Add(-age).UnixNano())
	err := errors.Join(os.Lchown(at, 998, 998), unix.UtimesNanoAt(unix.AT_FDCWD, at, []unix.Timespec{then, then}, unix.AT_SYMLINK_NOFOLLOW))
	if err != nil {
		t.Fatal(err)
	}
}

// newCleanup is a host with the runner's user and what its spec has removed.
func newCleanup(t *testing.T, what spec.Cleanup) (*hosttest.Machine, cleanup) {
	t.Helper()
	needRootForOwners(t)
	m := hosttest.New(t, laneHost)
	m.WriteFile("/etc/passwd", "gha-runner:x:998:998::/var/lib/gha-runner:/usr/sbin/nologin\n")
	m.WriteFile("/etc/shadow", "gha-runner:!:1::::::\n")
	s := laneSpec()
	s.Cleanup = &what
	return m, cleanup{s, time.Now}
}

// there are the names in a directory of the runner.
func there(t *testing.T, m *hosttest.Machine, dir string) string {
	t.Helper()
	names, err := m.ReadDir(laneDir + "/" + dir)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(names, " ")
}

func TestCleanupRemovesOldWork(t *testing.T) {
	t.Parallel()
	m, c := newCleanup(t, spec.Cleanup{Work: 14 * day})
	for name, age := range map[string]time.Duration{
		"_work/old": 21 * day, "_work/young": 13 * day, "_work/noted": 21 * day, "_work/fetched": 21 * day, "_work/deep": 21 * day,
		"_work/_actions": 99 * day, "_work/_temp": 99 * day, "_work/_update": 99 * day, "_work/_tool/node/20": 99 * day,
		"_work/_PipelineMapping/octo/old": 21 * day, "_work/loose.img": 15 * day, "_work/new.img": 0,
	} {
		leave(t, m, name, age)
	}
	m.WriteFile(laneDir+"/_work/_PipelineMapping/octo/noted/PipelineFolder.json", "{}")
	m.WriteFile(laneDir+"/_work/fetched/fetched/.git/index", "")
	leave(t, m, "_work/deep/deep/a/b/c/d", 20*day)
	own(t, m, "_work/deep/deep/a", 20*day)
	own(t, m, "_work/deep/deep/a/b/c/d/d/file.txt", day)
	own(t, m, "_work/deep", 21*day)
	m.WriteFile(laneDir+"/_work/lost+found/x", "") // root's
	if err := os.Chtimes(m.Path(laneDir+"/_work/lost+found"), time.Now(), time.Now().Add(-99*day)); err != nil {
		t.Fatal(err)
	}
	const want = "_work/old: unused for 21 days, less than 1 MiB -> removed; _work/loose.img: unused for 15 days, less than 1 MiB -> removed"
	if got := say(diffOf(t, m, c)); got != want {
		t.Errorf("diff says %q\nwant %q", got, want)
	}
	settle(t, m, c)
	if got := there(t, m, "_work"); got != "_PipelineMapping _actions _temp _tool _update deep fetched lost+found new.img noted young" {
		t.Errorf("left: %s", got)
	}
}

// A directory of an hour ago that claims to be from next year is as old as it is.
func TestCleanupOfTheFuture(t *testing.T) {
	t.Parallel()
	m, c := newCleanup(t, spec.Cleanup{Work: 14 * day})
	leave(t, m, "_work/forged", -365*day)
	if got := diffOf(t, m, c); got != nil {
		t.Errorf("diff says %q", say(got))
	}
	c.now = func() time.Time { return time.Now().Add(15 * day) }
	wantOnly(t, diffOf(t, m, c), "_work/forged", "unused for 15 days, less than 1 MiB", "removed")
}

// smallDisk is a disk of a size on which nothing is but work directories.
type smallDisk struct {
	*hosttest.Machine
	size uint64
}

func (d smallDisk) Disk(path string) (host.Disk, error) {
	dirs, _ := filepath.Glob(d.Path(laneDir + "/_work/*/size"))
	free := d.size
	for _, file := range dirs {
		data, err := os.ReadFile(file)
		if err != nil {
			return host.Disk{}, err
		}
		free -= uint64(len(data))
	}
	return host.Disk{Mount: "/", Free: free}, nil
}

func TestCleanupMakesRoom(t *testing.T) {
	t.Parallel()
	const mebi = 1 << 20
	for name, test := range map[string]struct {
		size       uint64
		work       time.Duration
		diff, left string
		err        string
	}{
		"enough": {size: 16 * mebi, left: "a b c"},
		"the longest unused": {size: 14 * mebi, left: "b c",
			diff: "_work/a: unused for 3 days, 8 MiB free of 10 MiB wanted, 2 MiB -> removed"},
		"one more": {size: 13 * mebi, left: "c",
			diff: "_work/a: unused for 3 days, 7 MiB free of 10 MiB wanted, 2 MiB -> removed; _work/b: unused for 2 days, 7 MiB free of 10 MiB wanted, 2 MiB -> removed"},
		"age does": {size: 14 * mebi, work: 70 * time.Hour, left: "b c", diff: "_work/a: unused for 3 days, 2 MiB -> removed"},
		"all of them, and not enough": {size: 9 * mebi, left: "",
			diff: "_work/a: unused for 3 days, 3 MiB free of 10 MiB wanted, 2 MiB -> removed; _work/b: unused for 2 days, 3 MiB free of 10 MiB wanted, 2 MiB -> removed; _work/c: unused for 24 hours, 3 MiB free of 10 MiB wanted, 2 MiB -> removed",
			err:  "too little is free: 9 MiB on the file system at /, 10 MiB wanted, and no work directory is left to remove; make room there (du -xh -d 2 / | sort -h), or ask for less with cleanup.minFree"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, c := newCleanup(t, spec.Cleanup{Work: test.work, MinFree: 10 * mebi})
			m.WriteFile(laneDir+"/_work/", "")
			for i, name := range []string{"a", "b", "c"} {
				age := time.Duration(3-i) * day
				m.WriteFile(laneDir+"/_work/"+name+"/size", strings.Repeat("x", 2*mebi))
				own(t, m, "_work/"+name+"/size", age)
				own(t, m, "_work/"+name, age)
			}
			d := smallDisk{m, test.size}
			changes, err := c.Diff(t.Context(), d)
			if err != nil || say(changes) != test.diff {
				t.Errorf("diff says %q, %v\nwant %q", say(changes), err, test.diff)
			}
			got := reconcile.Apply(t.Context(), d, []reconcile.Resource{c}, reconcile.Options{Jobs: reconcile.NoJobs{}})[0]
			if (test.err == "") != (got.Err == nil) || !strings.Contains(got.Error, test.err) {
				t.Errorf("apply: %s, %v", got.Status, got.Err)
			}
			if left := there(t, m, "_work"); left != test.left {
				t.Errorf("left: %s", left)
			}
		})
	}
}

func TestCleanupOfTools(t *testing.T) {
	t.Parallel()
	m, c := newCleanup(t, spec.Cleanup{Tools: 90 * day})
	for name, age := range map[string]time.Duration{"Java/17": 100 * day, "Java/21": 100 * day, "node/20": 10 * day, "go/1": 100 * day} {
		leave(t, m, "_work/_tool/"+name, age)
		m.WriteFile(laneDir+"/_work/_tool/"+name+"/x64.complete", "")
		own(t, m, "_work/_tool/"+name+"/x64.complete", age)
		own(t, m, "_work/_tool/"+name, age)
	}
	// A job ran it a week ago.
	used := m.Path(laneDir + "/_work/_tool/Java/21/21/file.txt")
	if err := os.Chtimes(used, time.Now().Add(-7*day), time.Now().Add(-100*day)); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(m.Path(laneDir+"/_work/_tool/go/1"), 0, 0); err != nil { // root put it there
		t.Fatal(err)
	}
	changes, err := c.Diff(t.Context(), m) // diffOf would read the files
	if err != nil {
		t.Fatal(err)
	}
	wantOnly(t, changes, "_work/_tool/Java/17", "unused for 100 days, less than 1 MiB", "removed")
	settle(t, m, c)
	for _, name := range []string{"Java/21", "node/20", "go/1"} {
		if _, err := m.Lstat(laneDir + "/_work/_tool/" + name); err != nil {
			t.Error(err)
		}
	}
	c.spec.Cleanup.Tools = 0
	c.spec.Cleanup.Work = time.Hour
	if got := diffOf(t, m, c); got != nil {
		t.Errorf("without an age for tools diff says %q", say(got))
	}
}

func TestCleanupOfLogs(t *testing.T) {
	t.Parallel()
	m, c := newCleanup(t, spec.Cleanup{Diag: 30 * day})
	for name, age := range map[string]time.Duration{
		"Runner_1.log": 90 * day, "Runner_2.log": 80 * day, "Runner_3.log": 70 * day, // open, gone, the newest
		"Worker_1.log": 40 * day, "Worker_2.log": 20 * day, "SelfUpdate-1.log.succeed": 90 * day, "stray.txt": 90 * day, "pages/1.log": 40 * day, "blocks/1.1": 5 * day,
	} {
		leave(t, m, "_diag/"+name, age)
	}
	m.PutProcess(host.Process{PID: 7, UID: 998, Name: "Runner.Listener"}, "/")
	m.WriteFile("/proc/7/fd/", "")
	if err := os.Symlink("/real/actions-runner/_diag/Runner_1.log", m.Path("/proc/7/fd/3")); err != nil {
		t.Fatal(err)
	}
	wantOnly(t, diffOf(t, m, c), "_diag", "logs not written to for 30 days or more: 3, less than 1 MiB", "removed")
	settle(t, m, c)
	if got := there(t, m, "_diag"); got != "Runner_1.log Runner_3.log SelfUpdate-1.log.succeed Worker_2.log blocks pages stray.txt" {
		t.Errorf("left: %s", got)
	}
}

// What a removal left that was killed goes first, whatever its age.
func TestCleanupGoesOnAfterAKill(t *testing.T) {
	t.Parallel()
	m, c := newCleanup(t, spec.Cleanup{Work: 14 * day})
	leave(t, m, "_work/"+host.GonePrefix+"x", 0)
	wantOnly(t, diffOf(t, m, c), "_work/"+host.GonePrefix+"x", "left by a removal that was cut off, less than 1 MiB", "removed")
	settle(t, m, c)
}

// TestCleanupIsNotLedAstray holds that names and links of the runner's user lead
// nowhere else, and that a report stays readable.
func TestCleanupIsNotLedAstray(t *testing.T) {
	t.Parallel()
	m, c := newCleanup(t, spec.Cleanup{Work: 14 * day, Diag: 30 * day, Tools: 90 * day})
	m.WriteFile("/etc/precious", "precious")
	m.WriteFile(laneDir+"/_work/", "")
	for i := range 30 {
		leave(t, m, fmt.Sprintf("_work/many%02d", i), 20*day)
	}
	leave(t, m, "_work/esc\x1b[2J\nape", 40*day)
	for _, name := range []string{"_work/link", "_diag", "_work/_tool", "_work/_PipelineMapping"} {
		if err := os.Symlink("/etc", m.Path(laneDir+"/"+name)); err != nil {
			t.Fatal(err)
		}
		own(t, m, name, 50*day)
	}
	changes := diffOf(t, m, c)
	if len(changes) != 21 || changes[0].Field != "_work/link" || changes[1].Field != `_work/esc\x1b[2J\nape` || changes[20].Field != "and 12 more" {
		t.Errorf("diff says %q", say(changes))
	}
	settle(t, m, c)
	if m.Text("/etc/precious") != "precious" || m.Text("/etc/passwd") == "" {
		t.Error("a link was followed")
	}
}

// A work directory elsewhere is cleaned up when nobody but root can swap it for
// another.
func TestCleanupElsewhere(t *testing.T) {
	t.Parallel()
	m, c := newCleanup(t, spec.Cleanup{Work: 14 * day})
	c.spec.Runner.WorkDir = "/srv/bench/work"
	for _, at := range []string{"/srv/bench/work/old/file", "/srv/bench/work/old"} {
		if !strings.HasSuffix(at, "old") {
			m.WriteFile(at, "")
		}
		own(t, m, "../../../.."+at, 20*day)
	}
	wantOnly(t, diffOf(t, m, c), "/srv/bench/work/old", "unused for 20 days, less than 1 MiB", "removed")
	if err := os.Chown(m.Path("/srv/bench"), 998, 998); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Diff(t.Context(), m); err == nil || !strings.Contains(err.Error(), "/srv/bench belongs to uid 998") {
		t.Errorf("got %v", err)
	}
}

// Someone mounted something in a work directory: it stays, and that is said.
func TestCleanupLeavesMounts(t *testing.T) {
	t.Parallel()
	m, c := newCleanup(t, spec.Cleanup{Work: 14 * day})
	leave(t, m, "_work/old", 20*day)
	leave(t, m, "_work/mounted", 20*day)
	for _, name := range []string{"passwd", "shadow", "group", ""} {
		own(t, m, "../../../../etc/"+name, 20*day)
	}
	at := m.Path(laneDir + "/_work/mounted/mounted")
	if err := unix.Mount(m.Path("/etc"), at, "", unix.MS_BIND, ""); err != nil {
		t.Skipf("cannot mount: %v", err)
	}
	t.Cleanup(func() { unix.Unmount(at, unix.MNT_DETACH) })
	got := reconcile.Apply(t.Context(), m, []reconcile.Resource{c}, reconcile.Options{Jobs: reconcile.NoJobs{}})[0]
	if got.Status != reconcile.Changed || !strings.Contains(got.Error, "_work/mounted stays: something is mounted in it, at mounted/mounted; unmount that, and it can go") {
		t.Errorf("%s: %v", got.Status, got.Err)
	}
	if left := there(t, m, "_work"); left != "mounted" || m.Text("/etc/passwd") == "" {
		t.Errorf("left: %s", left)
	}
}

func TestSizeText(t *testing.T) {
	t.Parallel()
	var got []string
	for _, n := range []int64{0, 1<<20 - 1, 1 << 20, 1<<30 - 1, 1 << 30, 20 << 30, 3300 << 20} {
		got = append(got, sizeText(n))
	}
	if want := []string{"less than 1 MiB", "less than 1 MiB", "1 MiB", "1023 MiB", "1 GiB", "20 GiB", "3.2 GiB"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}
