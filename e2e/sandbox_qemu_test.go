//go:build e2e

package e2e

import (
	"errors"
	"strings"
	"testing"

	"github.com/SKaiNET-developers/benchctl/internal/lab"
	"github.com/SKaiNET-developers/benchctl/spec"
)

// TestSandboxOnARealKernel proves what a container cannot: real-time
// scheduling, which needs a resource limit that containers may not raise, and
// CPUs that a job cannot leave, which needs the cpuset controller.
func TestSandboxOnARealKernel(t *testing.T) {
	l := &lab.Lab{Log: t.Logf}
	vm, err := l.BootQEMU(t.Context(), lab.QEMUOptions{})
	if errors.Is(err, lab.ErrNoMirror) {
		t.Fatalf("the virtual machine was NOT TESTED: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := vm.Close(); err != nil {
			t.Error(err)
		}
	})
	b := box{vm}
	b.furnish(t)
	b.put(t, boxDir+"/runsvc.sh", `#!/bin/bash
cd `+boxWork+`
chrt -f 10 true 2>chrt.said; echo $? >chrt
taskset -c 0 grep Cpus_allowed_list /proc/self/status >cpus 2>&1
touch done
exec sleep infinity
`, 0o755)
	for _, c := range []struct {
		service spec.Service
		chrt    string
		cpus    string
	}{
		{spec.Service{}, "1", "Cpus_allowed_list:\t0"},
		{spec.Service{Needs: []string{spec.NeedRealtime}}, "0", "Cpus_allowed_list:\t0"},
		{spec.Service{CPUs: "1"}, "1", "Invalid argument"},
	} {
		unit := b.installService(t, c.service)
		b.sh(t, "cd "+boxWork+" && rm -f done && systemctl start "+unit+" && until test -e done; do sleep 0.2; done; systemctl stop "+unit)
		if got := b.sh(t, "cat "+boxWork+"/chrt"); got != c.chrt {
			t.Errorf("%+v: chrt -f ended with %s, want %s: %s", c.service, got, c.chrt, b.sh(t, "cat "+boxWork+"/chrt.said"))
		}
		if got := b.sh(t, "cat "+boxWork+"/cpus"); !strings.Contains(got, c.cpus) {
			t.Errorf("%+v: taskset -c 0 gives %q, want %q", c.service, got, c.cpus)
		}
	}
}
