// Package relay is the way to GitHub for a process without a network.
//
// What looks at a whole host as root should not be reachable from anywhere, nor
// reach anything but what it was set up for. So the agent's unit has no network,
// and behind a socket that root alone can open, a process with a network and
// without any right on the host connects to the few places that the agent asks,
// and copies bytes. TLS goes from end to end: the relay sees no secret.
//
// The protocol is a line each way, and then bytes: the client says HOST:PORT,
// and the relay answers "ok", or why not as "no KIND TEXT".
package relay

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"
)

const (
	maxLine     = 512              // bytes, of either line
	maxSaid     = 5 * time.Second  // for the client to say where
	dialTimeout = 10 * time.Second // to one place, name and all
	maxRest     = 30 * time.Second // for a server to end after its client has
)

// Why a place was not reached, as far as a client tells reasons apart.
const (
	noName  = "name"    // nobody has that name
	noReply = "lookup"  // nobody says who has that name
	refused = "refused" // nobody listens there
	slow    = "timeout"
	other   = "other"
)

// Serve answers connections until none has come for a while and none is left;
// whoever listens in its place then starts it again. places are the HOST:PORT
// that it connects to.
func Serve(ctx context.Context, l *net.UnixListener, idle time.Duration, places []string) error {
	open := make(chan struct{}, 64)
	defer context.AfterFunc(ctx, func() { _ = l.SetDeadline(time.Unix(1, 0)) })()
	for {
		if err := l.SetDeadline(time.Now().Add(idle)); err != nil {
			return err
		}
		if ctx.Err() != nil { // or the deadline may just have been put off
			return nil
		}
		conn, err := l.AcceptUnix()
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			if len(open) == 0 {
				return nil
			}
		case err != nil:
			return fmt.Errorf("cannot wait for the agent: %w", err)
		default:
			open <- struct{}{}
			go func() {
				defer func() { <-open }()
				answer(ctx, conn, places)
			}()
		}
	}
}

// answer serves one connection.
func answer(ctx context.Context, client *net.UnixConn, places []string) {
	defer client.Close()
	_ = client.SetReadDeadline(time.Now().Add(maxSaid))
	said := bufio.NewReader(io.LimitReader(client, maxLine))
	line, err := said.ReadString('\n')
	if err != nil {
		return
	}
	place := strings.TrimSpace(line)
	if !slices.Contains(places, place) {
		fmt.Fprintf(client, "no %s the agent has no business with %q\n", other, place)
		return
	}
	dialer := net.Dialer{Timeout: dialTimeout}
	server, err := dialer.DialContext(ctx, "tcp", place)
	if err != nil {
		fmt.Fprintf(client, "no %s %s\n", kindOf(err), strings.ReplaceAll(err.Error(), "\n", " "))
		return
	}
	defer server.Close()
	if _, err := io.WriteString(client, "ok\n"); err != nil {
		return
	}
	_ = client.SetReadDeadline(time.Time{})
	join(client, server.(*net.TCPConn))
}

// join copies both ways until both sides have said all.
func join(client *net.UnixConn, server *net.TCPConn) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(server, client)
		_ = server.CloseWrite()
		_ = server.SetReadDeadline(time.Now().Add(maxRest)) // the client may be gone
	}()
	_, _ = io.Copy(client, server)
	_ = client.CloseWrite()
	<-done
}

func kindOf(err error) string {
	var lookup *net.DNSError
	var wait net.Error
	switch {
	case errors.As(err, &lookup) && lookup.IsNotFound:
		return noName
	case errors.As(err, &lookup):
		return noReply
	case errors.Is(err, syscall.ECONNREFUSED):
		return refused
	case errors.As(err, &wait) && wait.Timeout():
		return slow
	}
	return other
}
