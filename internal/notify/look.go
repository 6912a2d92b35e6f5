package notify

import (
	"strings"
	"time"

	"github.com/SKaiNET-developers/benchctl/reconcile"
)

// The causes that there are, or that theirs begin with.
const (
	noPass    = "no-pass"
	outOfStep = "out-of-step"
	offline   = "offline"
	failed    = "failed/"   // and the resource's id
	disk      = "disk"      // and the directory
	deadline  = "deadline/" // and the deadline's cause
)

// tidying is the resource that removes old files of jobs. Those that outlive
// their job as processes are another one.
const tidying = "cleanup"

// A trouble is a reason to tell somebody, as one look found it.
type trouble struct {
	cause    string
	subject  string        // in two or three words
	what     string        // in a sentence, without the host's name
	next     string        // what to do about it
	patience time.Duration // how long it may last before anybody is told
}

const (
	hour = time.Hour
	day  = 24 * hour
	week = 7 * day
	// A restart of the runner's service takes it off GitHub for a while.
	offlinePatience = 10 * time.Minute
)

// look lists what is wrong. What this pass could not see is neither wrong nor
// over, which unseen tells by its cause.
func (t *teller) look() (found []trouble, unseen func(cause string) bool) {
	dim := map[string]bool{}
	for _, cause := range t.book.causes() {
		dim[cause] = true
	}
	see := func(cause string, bad bool, what trouble) {
		delete(dim, cause)
		if bad {
			what.cause = cause
			found = append(found, what)
		}
	}
	see(noPass, t.state.Report == nil, trouble{
		subject: "no pass", patience: hour,
		what: "no pass is made: each ends before it looks at the host",
		next: "run `benchctl diff` on the host, or read `journalctl -u benchctl`: either says why",
	})
	if t.state.Report != nil {
		t.lookAtReport(see)
	}
	if t.state.Online != nil {
		see(offline, !*t.state.Online, trouble{
			subject: "runner offline", patience: offlinePatience,
			what: "the runner is offline at GitHub, and takes no job",
			next: "look with `systemctl status 'actions.runner.*'` on the host",
		})
	}
	for _, d := range t.state.Disks {
		what, full := t.book.filling(d, t.Now)
		see(disk+plain(d.Path), full, trouble{subject: "disk filling", what: what, next: "make room there, or have cleanup do it (cleanup in the spec)"})
	}
	for _, d := range t.state.Deadlines {
		ends := " ends on "
		if d.At.Before(t.Now) {
			ends = " ended on "
		}
		see(deadline+d.Cause, !d.At.IsZero() && d.At.Sub(t.Now) < week, trouble{subject: "deadline", what: d.What + ends + clock(d.At), next: d.Next})
	}
	return found, func(cause string) bool { return dim[cause] }
}

// lookAtReport finds what is out of step, and what could not be corrected. A
// resource that was put off, or left out, says nothing.
func (t *teller) lookAtReport(see func(string, bool, trouble)) {
	var out []string
	whole := !t.state.Partial
	present := map[string]bool{}
	for _, o := range t.state.Report.Results {
		id := plain(o.ID.String())
		present[failed+id] = true
		switch {
		case o.Status == reconcile.Deferred || o.Status == reconcile.Skipped: // for what failed, or waits
			whole = false
		case o.Status == reconcile.Failed && t.state.Report.Verb == "apply":
			see(failed+id, true, failing(id))
			whole = false // it may be all that is wrong, and it is told by itself
		case t.book.fires(failed+id) && !settled(o):
			whole = false
		case settled(o):
			see(failed+id, false, trouble{})
		case id == tidying && o.Status == reconcile.Pending: // it waits for an idle host, and no number is worse for it
		default:
			out = append(out, id)
		}
	}
	if len(out) > 0 || whole {
		see(outOfStep, len(out) > 0, trouble{
			subject: "out of step", patience: hour,
			what: "out of step with its spec: " + names(out),
			next: "see what differs with `benchctl diff` on the host; `benchctl apply` mends it, or says why not",
		})
	}
	if t.state.Partial {
		return
	}
	for _, cause := range t.book.causes() { // of resources that left the spec
		if strings.HasPrefix(cause, failed) && !present[cause] {
			see(cause, false, trouble{})
		}
	}
}

func failing(id string) trouble {
	return trouble{
		subject: "correction failed", what: "could not be brought into step: " + id,
		next: "run `benchctl apply` on the host, which says why",
	}
}

// settled says that a resource is as it should be, or that nobody expects more.
func settled(o reconcile.Outcome) bool {
	switch o.Status {
	case reconcile.Unchanged, reconcile.Changed:
		return o.Err == nil || reconcile.IsTolerated(o.Err)
	case reconcile.Unknown, reconcile.Unsupported:
		return reconcile.IsTolerated(o.Err)
	}
	return false
}
