package runner

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	relaunchAfter = 5 * time.Second
	killAfter     = 30 * time.Second
	retriesInARow = 10
)

// nodeMain is node: with bin/RunnerService.js it starts the listener, again
// where its exit code says so, and always ends with 0. That is why a stopped
// listener leaves a service that succeeded.
func nodeMain(root string, args []string) int {
	if len(args) == 0 || filepath.Base(args[0]) != "RunnerService.js" {
		fmt.Println("v20.19.0")
		return exitOK
	}
	s := &service{root: root, signals: make(chan os.Signal, 4)}
	signal.Notify(s.signals, os.Interrupt, syscall.SIGTERM)
	fmt.Println("Starting Runner listener with startup type: service")
	s.limit, _ = strconv.Atoi(os.Getenv("GITHUB_ACTIONS_SERVICE_EXIT_AFTER_N_FAILURES"))
	for s.run() {
	}
	return exitOK
}

type service struct {
	root              string
	signals           chan os.Signal
	retries, unknowns int
	limit             int // of unknown exit codes in a row; 0: none
	heard             atomic.Bool
}

// run starts the listener once and says whether to start it again.
func (s *service) run() bool {
	cmd := exec.Command(filepath.Join(s.root, "bin", "Runner.Listener"), "run", "--startuptype", "service")
	cmd.Dir, cmd.Stderr = s.root, os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		fmt.Println(err)
		return s.relaunch()
	}
	fmt.Printf("Started listener process, pid: %d\n", cmd.Process.Pid)
	fmt.Println("Started running service")
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.echo(stdout)
		cmd.Wait()
	}()
	select {
	case <-ended:
		return s.again(cmd.ProcessState.ExitCode())
	case <-s.signals:
		fmt.Println("Shutting down runner listener")
		cmd.Process.Signal(os.Interrupt)
		kill := time.AfterFunc(killAfter, func() { cmd.Process.Kill() })
		defer kill.Stop()
		<-ended
		fmt.Printf("Runner listener exited with error code %d\n", cmd.ProcessState.ExitCode())
		return false
	}
}

// echo passes the listener's lines on and notices that it listens.
func (s *service) echo(r io.Reader) {
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		fmt.Println(lines.Text())
		if strings.Contains(lines.Text(), "Listening for Jobs") {
			s.heard.Store(true)
		}
	}
}

func (s *service) again(code int) bool {
	fmt.Printf("Runner listener exited with error code %d\n", code)
	if s.heard.Swap(false) {
		s.retries, s.unknowns = 0, 0
	}
	switch code {
	case exitOK:
		fmt.Println("Runner listener exit with 0 return code, stop the service, no retry needed.")
		return false
	case exitTerminated:
		fmt.Println("Runner listener exit with terminated error, stop the service, no retry needed.")
		return false
	case exitConflict:
		fmt.Println("Runner listener exit with Session Conflict error, stop the service, no retry needed.")
		return false
	case exitRetryable, 3, 4:
		if s.retries++; s.retries >= retriesInARow {
			fmt.Printf("Stopping the runner after %d consecutive re-tryable failures\n", retriesInARow)
			return false
		}
		return s.relaunch()
	}
	fmt.Println("Runner listener exit with undefined return code, re-launch runner in 5 seconds.")
	if s.unknowns++; s.limit > 0 && s.unknowns >= s.limit {
		return false
	}
	return s.relaunch()
}

// relaunch waits before the next start; a signal meanwhile ends the service.
func (s *service) relaunch() bool {
	select {
	case <-s.signals:
		return false
	case <-time.After(relaunchAfter):
		return true
	}
}
