package relay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"time"
)

// SocketEnv is the variable that leads a process to the relay's socket. Where it
// is not set, the network is the process's own.
const SocketEnv = "BENCHCTL_RELAY"

// Dialer returns how to connect by way of the relay that the environment names,
// and nil if it names none. It fits http.Transport.DialContext; its errors are
// those that the network itself would give.
func Dialer(getenv func(string) string) func(ctx context.Context, network, address string) (net.Conn, error) {
	socket := getenv(SocketEnv)
	if socket == "" {
		return nil
	}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, "unix", socket)
		if err != nil {
			return nil, fmt.Errorf("cannot reach the relay to %s: %w; see: systemctl status benchctl-relay.socket", address, err)
		}
		if err := ask(ctx, conn, network, address); err != nil {
			conn.Close()
			return nil, err
		}
		return conn, nil
	}
}

// ask has the relay connect to a place.
func ask(ctx context.Context, conn net.Conn, network, address string) error {
	defer context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })()
	_, err := io.WriteString(conn, address+"\n")
	if err == nil {
		var line string
		if line, err = readLine(conn); err == nil {
			err = understand(line, network, address)
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// readLine reads no byte beyond the line: those are the server's.
func readLine(r io.Reader) (string, error) {
	var line strings.Builder
	for one := make([]byte, 1); line.Len() < maxLine; line.WriteByte(one[0]) {
		if _, err := io.ReadFull(r, one); err != nil {
			return "", fmt.Errorf("the relay hung up: %w", err)
		}
		if one[0] == '\n' {
			break
		}
	}
	return line.String(), nil
}

// understand turns the relay's answer into the error that it had.
func understand(line, network, address string) error {
	if line == "ok" {
		return nil
	}
	kind, text, _ := strings.Cut(strings.TrimPrefix(line, "no "), " ")
	host, _, _ := net.SplitHostPort(address)
	var err error
	switch kind {
	case noName:
		err = &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	case noReply:
		err = &net.DNSError{Err: text, Name: host, IsTemporary: true}
	case refused:
		err = os.NewSyscallError("connect", syscall.ECONNREFUSED)
	case slow:
		err = os.ErrDeadlineExceeded
	default:
		err = errors.New(text)
	}
	return &net.OpError{Op: "dial", Net: network, Err: err}
}
