package gate

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/SKaiNET-developers/benchctl/internal/expect"
)

// recordSchema names the shape of a [record] in JSON.
const recordSchema = "benchctl/gate/v1"

// recordName is the record's file in RUNNER_TEMP, which the runner empties
// before and after each job.
const recordName = "benchctl-gate.json"

// maxRecord is the most that is read back of a record.
const maxRecord = 256 << 10

// A record is what the gate saw when a job started, kept for when it completes.
// The job can write it as well as the gate, so it informs and decides nothing.
type record struct {
	Schema  string            `json:"schema"`
	Started time.Time         `json:"started"`
	Values  map[string]string `json:"values"` // of kernel files, by path
}

// watched are the kernel files whose change during a job tells something: the
// limits of each frequency policy, which firmware and daemons lower, and the
// counters of Intel's thermal interrupts: core_throttle_count, and with newer
// kernels core_throttle_total_time_ms, and the same for the package
// (Documentation/admin-guide/pm/cpufreq.rst; arch/x86/kernel/cpu/mce/therm_throt.c).
const (
	limits   = "/sys/devices/system/cpu/cpufreq/policy*/scaling_m[ai][xn]_freq"
	throttle = "/sys/devices/system/cpu/cpu[0-9]*/thermal_throttle/*_throttle_[ct]o*"
)

// values reads the kernel files that are recorded.
func (g Gate) values(want *expect.Expected) map[string]string {
	values := map[string]string{}
	patterns := []string{limits, throttle}
	for _, k := range want.Knobs {
		patterns = append(patterns, k.Files)
	}
	for _, pattern := range patterns {
		paths, _ := g.Host.Glob(pattern) // the patterns are well-formed
		for _, path := range paths {
			if value, err := expect.Value(g.Host, path); err == nil {
				values[path] = value
			}
		}
	}
	return values
}

// keepRecord writes the record down. That it cannot is worth a word now: when
// the job completes it is too late.
func (g Gate) keepRecord(want *expect.Expected) []Finding {
	dir := g.Getenv("RUNNER_TEMP")
	if dir == "" {
		return nil // nobody's job
	}
	text, err := json.Marshal(record{recordSchema, time.Now().UTC(), g.values(want)})
	if err == nil {
		err = writeBelow(dir, recordName, text)
	}
	if err != nil {
		return []Finding{noted("nobody can tell at the end what changed during this job: %s", plain(err.Error()))}
	}
	return nil
}

// recall reads the record back.
func (g Gate) recall() (*record, error) {
	dir := g.Getenv("RUNNER_TEMP")
	if dir == "" {
		return nil, errors.New("RUNNER_TEMP is not set")
	}
	text, err := readBelow(dir, recordName)
	if err != nil {
		return nil, err
	}
	r := &record{}
	if err := json.Unmarshal(text, r); err != nil || r.Schema != recordSchema {
		return nil, fmt.Errorf("%s is not what the gate wrote", recordName)
	}
	return r, nil
}

// writeBelow makes a file in a directory of the job's anew, whatever somebody
// put in its place.
func writeBelow(dir, name string, text []byte) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	if err := root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Close())
}

// readBelow reads a file in a directory of the job's. A link leads nowhere but
// there, and a fifo is not waited for.
func readBelow(dir, name string) ([]byte, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	f, err := root.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() || info.Size() > maxRecord {
		return nil, errors.Join(err, fmt.Errorf("%s is no plain file of reasonable size", name))
	}
	return io.ReadAll(io.LimitReader(f, maxRecord))
}
