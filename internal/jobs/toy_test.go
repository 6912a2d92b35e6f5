package jobs

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestMain makes the test binary play the runner's programs and the guardian,
// each as a process of its own.
func TestMain(m *testing.M) {
	switch {
	case filepath.Base(os.Args[0]) == listenerName:
		toyListener()
	case filepath.Base(os.Args[0]) == workerName:
		toyWorker()
	case len(os.Args) > 1 && os.Args[1] == GuardVerb:
		if err := Guard(os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	case len(os.Args) > 1 && os.Args[1] == "hold":
		toyHolder()
	default:
		os.Exit(m.Run())
	}
}

// toyListener models the order in which the real one takes a job: message,
// acknowledgement, acquisition, first renewal, Worker. The server decides how
// long each takes. SIGINT ends it: what is under way is given up, as the real
// one gives up.
//
// Its environment: SERVER, an address, and PERF, the perf log.
func toyListener() {
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGINT)
	defer stop()
	count(start)
	count(session)
	for ctx.Err() == nil {
		job, err := ask(ctx, "poll")
		if err != nil {
			continue
		}
		count(message)
		if _, err := ask(ctx, "acknowledge "+job); err != nil {
			continue
		}
		if _, err := ask(ctx, "acquire "+job); err != nil {
			continue
		}
		toyRun(ctx, job)
	}
}

func toyRun(ctx context.Context, job string) {
	if _, err := ask(ctx, "renew "+job); err != nil {
		return
	}
	count("JobRequestRenewed_" + job)
	count(starting)
	dir, _ := os.Executable()
	worker := exec.CommandContext(ctx, filepath.Join(filepath.Dir(dir), workerName), job)
	worker.Env = os.Environ()
	if err := worker.Start(); err != nil {
		return
	}
	count("RunnerSendingJobToWorker_" + job)
	_ = worker.Wait()
}

// toyWorker works for as long as the server likes.
func toyWorker() {
	_, _ = ask(context.Background(), "work "+os.Args[1])
	_, _ = ask(context.Background(), "done "+os.Args[1])
}

// ask sends the server a line and returns its answer.
func ask(ctx context.Context, line string) (string, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", os.Getenv("SERVER"))
	if err != nil {
		return "", err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })()
	if _, err := fmt.Fprintln(conn, line); err != nil {
		return "", err
	}
	answer, err := bufio.NewReader(conn).ReadString('\n')
	return strings.TrimSpace(answer), err
}

func count(name string) {
	f, err := os.OpenFile(os.Getenv("PERF"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return
	}
	defer f.Close()
	_, _ = f.WriteString(counter(name, 0) + "\n")
}

// toyServer hands out jobs back to back and remembers what became of each.
type toyServer struct {
	net.Listener
	events chan string // "acquire N" and "done N", in order
	rand   chan time.Duration
}

func newToyServer(t *testing.T, seed uint64) *toyServer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &toyServer{Listener: l, events: make(chan string, 1<<16), rand: make(chan time.Duration)}
	t.Cleanup(func() { l.Close() })
	random := rand.New(rand.NewPCG(seed, 5))
	go func() {
		for {
			select {
			case s.rand <- time.Duration(random.Int64N(int64(12 * time.Millisecond))):
			case <-t.Context().Done():
				return
			}
		}
	}()
	go s.serve()
	return s
}

func (s *toyServer) serve() {
	for n := 1; ; n++ {
		conn, err := s.Accept()
		if err != nil {
			return
		}
		go s.answer(conn, n)
	}
}

// answer serves one request. What a job was told stands, whether or not the
// answer arrives: the server has acquired it half-way through its round trip.
func (s *toyServer) answer(conn net.Conn, n int) {
	defer conn.Close()
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return
	}
	verb, job, _ := strings.Cut(strings.TrimSpace(line), " ")
	time.Sleep(time.Millisecond + <-s.rand)
	switch verb {
	case "poll":
		time.Sleep(6 * <-s.rand)
		job = fmt.Sprint(n)
	case "acquire", "done":
		s.events <- verb + " " + job
		time.Sleep(<-s.rand)
	case "work":
		time.Sleep(2 * <-s.rand)
	}
	fmt.Fprintln(conn, job)
}

// drain returns the jobs that were acquired and not done, of all so far.
func (s *toyServer) drain(unfinished map[string]bool) {
	for {
		select {
		case event := <-s.events:
			verb, job, _ := strings.Cut(event, " ")
			if verb == "acquire" {
				unfinished[job] = true
			} else {
				delete(unfinished, job)
			}
		default:
			return
		}
	}
}
