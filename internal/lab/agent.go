package lab

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
)

// agent talks to the agent in a virtual machine, over a connection to its
// serial port.
type agent struct {
	conn io.ReadWriteCloser

	send sync.Mutex // one request at a time on the wire

	mu      sync.Mutex
	last    int
	waiting map[int]chan Result
	boots   int
	booted  chan struct{} // closed at the next boot
	failed  error
}

var errRebooted = errors.New("the machine rebooted meanwhile")

func newAgent(conn net.Conn) *agent {
	a := &agent{conn: conn, waiting: map[int]chan Result{}, booted: make(chan struct{})}
	go a.listen()
	return a
}

// listen hands out answers until the connection ends.
func (a *agent) listen() {
	r := bufio.NewReader(a.conn)
	for {
		id, result, err := readAnswer(r)
		a.mu.Lock()
		switch {
		case err != nil:
			a.failed = err
			a.drop()
			close(a.booted)
		case id == 0:
			a.boots++
			a.drop()
			close(a.booted)
			a.booted = make(chan struct{})
		case a.waiting[id] != nil:
			a.waiting[id] <- result
			delete(a.waiting, id)
		}
		a.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// drop gives up on all answers: those who wait find their channel closed.
func (a *agent) drop() {
	for id, answer := range a.waiting {
		close(answer)
		delete(a.waiting, id)
	}
}

func readAnswer(r *bufio.Reader) (id int, result Result, err error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return 0, Result{}, err
	}
	var out, said int
	if _, err := fmt.Sscan(line, &id, &result.Status, &out, &said); err != nil {
		return 0, Result{}, fmt.Errorf("the agent answered %q: %w", line, err)
	}
	text := make([]byte, out+said)
	if _, err := io.ReadFull(r, text); err != nil {
		return 0, Result{}, err
	}
	result.Stdout, result.Stderr = string(text[:out]), string(text[out:])
	return id, result, nil
}

// do runs a shell script in the machine, with all rights.
func (a *agent) do(ctx context.Context, script string, stdin []byte) (Result, error) {
	answer := make(chan Result, 1)
	a.mu.Lock()
	if a.failed != nil {
		a.mu.Unlock()
		return Result{}, fmt.Errorf("%w: %w", ErrDown, a.failed)
	}
	a.last++
	id := a.last
	a.waiting[id] = answer
	a.mu.Unlock()

	a.send.Lock()
	_, err := fmt.Fprintf(a.conn, "%d %d %d\n%s%s", id, len(script), len(stdin), script, stdin)
	a.send.Unlock()
	if err != nil {
		return Result{}, fmt.Errorf("%w: %w", ErrDown, err)
	}
	select {
	case result, ok := <-answer:
		if !ok {
			return Result{}, errRebooted
		}
		return result, nil
	case <-ctx.Done():
		return Result{}, ctx.Err()
	}
}

// generation returns how often the machine has booted, and a channel that is
// closed when it boots the next time or goes down.
func (a *agent) generation() (int, <-chan struct{}, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.boots, a.booted, a.failed
}
