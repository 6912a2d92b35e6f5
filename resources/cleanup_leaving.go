package resources

import (
	"fmt"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/reconcile"
)

// A leaving is something that goes: a directory, or several files of a kind.
type leaving struct {
	places []place
	field  string // as a report names it
	why    string
	tree   host.Tree
}

// amount is how much of the disk it takes.
func (l leaving) amount() string {
	switch {
	case l.tree.Partial && l.tree.Bytes < mebi:
		return "more files than were counted"
	case l.tree.Partial:
		return "more than " + sizeText(l.tree.Bytes)
	}
	return sizeText(l.tree.Bytes)
}

// mostNamed is how many things a report names one by one.
const mostNamed = 20

// goes is what a report says of what goes.
func goes(found []leaving) []reconcile.Change {
	var changes []reconcile.Change
	rest := leaving{}
	for i, l := range found {
		if i < mostNamed {
			changes = append(changes, reconcile.Change{Field: plain(l.field), Have: l.why + ", " + l.amount(), Want: "removed"})
			continue
		}
		rest.tree.Bytes += l.tree.Bytes
		rest.tree.Partial = rest.tree.Partial || l.tree.Partial
	}
	if more := len(found) - mostNamed; more > 0 {
		changes = append(changes, reconcile.Change{Field: fmt.Sprintf("and %d more", more), Have: rest.amount(), Want: "removed"})
	}
	return changes
}

// unusedFor is how long ago something was, in the unit that a person would use.
func unusedFor(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%d days", int(d.Hours()/24))
	case d >= 2*time.Hour:
		return fmt.Sprintf("%d hours", int(d.Hours()))
	}
	return fmt.Sprintf("%d minutes", max(0, int(d.Minutes())))
}

const mebi, gibi = 1 << 20, 1 << 30

// sizeText is a number of bytes as a person would write it.
func sizeText(bytes int64) string {
	switch {
	case bytes < mebi:
		return "less than 1 MiB"
	case bytes < gibi:
		return fmt.Sprintf("%d MiB", bytes/mebi)
	case bytes%gibi == 0:
		return fmt.Sprintf("%d GiB", bytes/gibi)
	}
	return fmt.Sprintf("%.1f GiB", float64(bytes)/gibi)
}
