package resources

import (
	"context"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/reconcile"
)

// awaitEarlier waits for a config.sh that a benchctl which was killed left at
// work: two at once would each find the other's registration in the way.
func (c *Config) awaitEarlier(ctx context.Context, r host.Reader) error {
	ctx, cancel := context.WithTimeout(ctx, configTimeout)
	defer cancel()
	for told := false; ; told = true {
		pid := c.earlier(r)
		if pid == "" {
			return nil
		}
		if !told {
			reconcile.Progress(ctx)("waiting for a registration that an earlier run left at work (process " + pid + ")")
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("cannot register the runner: an earlier registration is still at work (process %s: %w); end it and apply again", pid, ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// earlier returns the process of a config.sh, or of the `Runner.Listener
// configure` that it ran, in the runner's directory, if there is one. The
// runner's user can make it up, and so put a registration off, which is all.
func (c *Config) earlier(r host.Reader) string {
	found, _ := r.Glob("/proc/[0-9]*/comm")
	for _, comm := range found {
		name, err := r.ReadFile(comm)
		called := strings.TrimSpace(string(name))
		if err != nil || called != "Runner.Listener" && called != "config.sh" {
			continue
		}
		dir := path.Dir(comm)
		line, _ := r.ReadFile(dir + "/cmdline")
		configuring := called == "config.sh" || strings.Contains(string(line), "\x00configure\x00")
		if at, _ := r.Readlink(dir + "/cwd"); configuring && at == c.InstallDir {
			return path.Base(dir)
		}
	}
	return ""
}
