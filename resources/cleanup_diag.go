package resources

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/host"
)

// diag lists the runner's old logs, and the pages and blocks of job logs that it
// did not come to send. Here an old one is told by what the kernel says of it,
// and by nothing that is in it.
func (c cleanup) diag(_ context.Context, r host.Reader, _ place) ([]leaving, error) {
	if c.spec.Cleanup.Diag == 0 {
		return nil, nil
	}
	top := place{c.spec.InstallDir, "_diag"}
	logs, err := top.list(r)
	if err != nil {
		return nil, err
	}
	l := leaving{field: c.field(top)}
	newest := newestOfKind(logs)
	var open map[string]bool
	for _, e := range logs {
		if e.IsDir() || newest[logKind(e.Name)] == e.Name || !c.oldLog(e) {
			continue
		}
		if open == nil {
			open = c.openLogs(r)
		}
		if !open[e.Name] {
			l.add(top, e)
		}
	}
	for _, name := range []string{"pages", "blocks"} {
		parts, err := top.in(name).list(r)
		if err != nil {
			return nil, err
		}
		for _, e := range parts {
			if c.oldLog(e) {
				l.add(top.in(name), e)
			}
		}
	}
	if len(l.places) == 0 {
		return nil, nil
	}
	l.why = fmt.Sprintf("logs not written to for %s or more: %d", unusedFor(c.spec.Cleanup.Diag), len(l.places))
	return []leaving{l}, nil
}

func (c cleanup) oldLog(e host.Entry) bool { return c.now().Sub(e.Changed()) >= c.spec.Cleanup.Diag }

func (l *leaving) add(dir place, e host.Entry) {
	l.places = append(l.places, dir.in(e.Name))
	l.tree.Bytes += e.Size
}

// logKind is what the runner begins a log's name with: Runner, Worker, SelfUpdate.
func logKind(name string) string {
	kind, _, _ := strings.Cut(strings.ReplaceAll(name, "-", "_"), "_")
	return kind
}

// newestOfKind returns the name of the log of each kind that was written last.
func newestOfKind(logs []host.Entry) map[string]string {
	newest, at := map[string]string{}, map[string]time.Time{}
	for _, e := range logs {
		if kind := logKind(e.Name); newest[kind] == "" || e.Changed().After(at[kind]) {
			newest[kind], at[kind] = e.Name, e.Changed()
		}
	}
	return newest
}

// openLogs are the logs that a process of the runner's user has open.
func (c cleanup) openLogs(r host.Reader) map[string]bool {
	open := map[string]bool{}
	account, err := r.Account(c.spec.User.Name)
	if err != nil {
		return open
	}
	all, _ := r.Processes() // who cannot be seen may still have the newest open
	for _, p := range all {
		if p.UID != account.UID {
			continue
		}
		dir := "/proc/" + strconv.Itoa(p.PID) + "/fd"
		fds, _ := r.ReadDir(dir)
		for _, fd := range fds {
			target, _ := r.Readlink(dir + "/" + fd)
			if _, name, found := strings.Cut(target, "/_diag/"); found {
				open[name] = true
			}
		}
	}
	return open
}
