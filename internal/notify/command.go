package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/host"
)

// A command is a program of root's that is run for each message: the message is
// JSON on its standard input, and in its environment.
type command struct{ *teller }

const commandLimit = 30 * time.Second

func (command) name() string { return "command" }

func (command) limit() time.Duration { return commandLimit }

func (c command) send(ctx context.Context, due, _ []Notice) (int, error) {
	if err := c.run(ctx, due[0]); err != nil {
		return 0, fmt.Errorf("cannot tell notify.command %s: %w", c.Command, err)
	}
	return 1, nil
}

func (c command) run(ctx context.Context, n Notice) error {
	if err := c.trusted(); err != nil {
		return err
	}
	message, err := json.Marshal(n)
	if err != nil {
		return err
	}
	err = c.start(ctx, host.Command{
		Argv: []string{c.Command}, Env: c.env(n), Dir: "/", Stdin: append(message, '\n'),
	})
	var status *host.CommandError
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("%w, and was ended", interrupted(ctx, commandLimit))
	case errors.As(err, &status): // what it printed is its own affair, and may hold a secret
		return fmt.Errorf("it ended with status %d; run it by hand to see why", status.Status)
	case err != nil:
		return fmt.Errorf("it could not be run; check what it is: %w", reason(err))
	}
	return nil
}

// commandUnit is what a command runs as where this process is confined.
const commandUnit = "benchctl-notify.service"

// start runs the program, as a unit of its own if there is no other way.
func (c command) start(ctx context.Context, cmd host.Command) error {
	if !c.Confined {
		_, err := c.host.Run(ctx, cmd)
		return err
	}
	_, err := c.host.RunUnit(ctx, commandUnit, cmd)
	if ctx.Err() != nil { // a unit outlives who waits for it
		bound, cancel := context.WithTimeout(context.WithoutCancel(ctx), unitEnds)
		defer cancel()
		_ = c.host.Systemd().Stop(bound, commandUnit)
	}
	return err
}

// unitEnds bounds the wait for a program that was told to end.
const unitEnds = 5 * time.Second

// env is the program's whole environment. Everybody can read that of a unit, so
// that a proxy with a password is left out there.
func (c command) env(n Notice) []string {
	env := []string{
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", "HOME=/root",
		"BENCHCTL_HOST=" + n.Host, "BENCHCTL_CAUSE=" + n.Cause, "BENCHCTL_STATE=" + n.State,
		"BENCHCTL_SUBJECT=" + n.Subject, "BENCHCTL_TEXT=" + n.Text, "BENCHCTL_NEXT=" + n.Next,
		"BENCHCTL_SINCE=" + n.Since.Format(time.RFC3339),
	}
	for _, name := range []string{"http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"} {
		value := c.Getenv(name)
		if value == "" || c.Confined && strings.Contains(value, "@") {
			continue
		}
		env = append(env, name+"="+value)
	}
	return env
}

// trusted makes sure that what root is about to run is root's, and that nobody
// else can put another program in its place.
func (c command) trusted() error {
	info, err := c.host.Lstat(c.Command)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return errors.New("there is no such file; correct notify.command")
	case err != nil:
		return reason(err)
	case info.IsDir():
		return errors.New("it is a directory; correct notify.command")
	case info.IsRegular() && info.Mode.Perm()&0o111 == 0:
		return fmt.Errorf("it is not executable; run `chmod 755 %s`", c.Command)
	}
	if err := host.RootsAlone(c.host, c.Command); err != nil {
		return fmt.Errorf("it is not trusted: %w; make both root's alone", err)
	}
	for dir := path.Dir(c.Command); dir != "/"; dir = path.Dir(dir) {
		if err := host.RootsAlone(c.host, dir); err != nil {
			return fmt.Errorf("it is not trusted: %w; move it to /usr/local/sbin", err)
		}
	}
	return nil
}

// reason is an error without the operation and path that the sentence around it
// names already.
func reason(err error) error {
	var at *fs.PathError
	if errors.As(err, &at) {
		return at.Err
	}
	return err
}
