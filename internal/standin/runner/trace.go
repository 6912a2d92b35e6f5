package runner

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// A trace is where one program of the runner tells what it does: the console,
// its log in _diag and, with RUNNER_PERFLOG, its counters.
type trace struct {
	mu   sync.Mutex
	log  *os.File // nil when _diag cannot be written
	perf string   // the counters' file, or ""
}

// newTrace opens _diag/KIND_DATE-utc.log; kind is Runner or Worker.
func newTrace(root, kind string) *trace {
	t := &trace{}
	diag := filepath.Join(root, "_diag")
	os.MkdirAll(diag, 0o755)
	name := fmt.Sprintf("%s_%s-utc.log", kind, time.Now().UTC().Format("20060102-150405"))
	t.log, _ = os.OpenFile(filepath.Join(diag, name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if dir := os.Getenv("RUNNER_PERFLOG"); dir != "" && os.MkdirAll(dir, 0o755) == nil {
		t.perf = filepath.Join(dir, kind+".perf")
	}
	t.info("HostContext", "Well known directory 'Diag': '%s'", diag) // long before it reaches GitHub
	return t
}

// info writes one line to the log: [DATE INFO SOURCE] text.
func (t *trace) info(source, format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.log != nil {
		fmt.Fprintf(t.log, "[%s INFO %s] %s\n", stamp(), source, fmt.Sprintf(format, args...))
	}
}

// say prints one line on the console, and notes it in the log.
func (t *trace) say(format string, args ...any) {
	line := fmt.Sprintf(format, args...)
	fmt.Println(line)
	t.info("Terminal", "WRITE LINE: %s", line)
}

// fail prints one line on standard error, and notes it in the log.
func (t *trace) fail(format string, args ...any) {
	line := fmt.Sprintf(format, args...)
	fmt.Fprintln(os.Stderr, line)
	t.info("Terminal", "WRITE ERROR: %s", line)
}

// count appends one counter: a single write, at the moment of the call. That
// it cannot be written is harmless.
func (t *trace) count(counter string) {
	if t.perf == "" {
		return
	}
	file, err := os.OpenFile(t.perf, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		t.info("HostContext", "%v", err)
		return
	}
	defer file.Close()
	fmt.Fprintf(file, "%s:%s\n", strings.ReplaceAll(counter, ":", "_"),
		time.Now().UTC().Format("2006-01-02T15:04:05.0000000Z"))
}

func (t *trace) close() {
	if t.log != nil {
		t.log.Close()
	}
}

// stamp is the time as the runner writes it on the console and in its logs.
func stamp() string { return time.Now().UTC().Format("2006-01-02 15:04:05Z") }
