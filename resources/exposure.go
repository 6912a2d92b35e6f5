package resources

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/reconcile"
)

// overall is the last line of `systemd-analyze security UNIT`.
var overall = regexp.MustCompile(`Overall exposure level for .*: ([0-9.]+) `)

// exposure is systemd's own score of a loaded unit, from 0.0 (best) to 10.0, and
// "" when there is none.
func exposure(ctx context.Context, h host.Host, u host.Unit) string {
	if u.LoadState != "loaded" {
		return ""
	}
	out, err := h.Run(ctx, host.Command{
		Argv: []string{"systemd-analyze", "security", "--no-pager", u.Name},
		Env:  []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8"},
	})
	if err != nil {
		return ""
	}
	m := overall.FindStringSubmatch(strings.TrimSpace(string(out.Stdout)) + " ")
	if m == nil {
		return ""
	}
	return m[1]
}

// sayExposure tells how the exposure of whose unit moved, if it did.
func sayExposure(ctx context.Context, h host.Host, u host.Unit, whose, before string) {
	u.LoadState = "loaded"
	after := exposure(ctx, h, u)
	switch {
	case after == "" || after == before:
	case before == "":
		reconcile.Progress(ctx)(fmt.Sprintf("exposure of the %s: %s of 10 (systemd-analyze security)", whose, after))
	default:
		reconcile.Progress(ctx)(fmt.Sprintf("exposure of the %s: %s of 10, before %s (systemd-analyze security)", whose, after, before))
	}
}
