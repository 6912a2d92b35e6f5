//go:build e2e

package lab_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/lab"
)

// One virtual machine for all of these, since each boot takes half a minute.
func TestQEMU(t *testing.T) {
	server, err := net.Listen("tcp", "127.70.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	go func() {
		for {
			conn, err := server.Accept()
			if err != nil {
				return
			}
			io.WriteString(conn, "hello from outside\n")
			conn.Close()
		}
	}()
	l := &lab.Lab{Log: t.Logf}
	v, err := l.BootQEMU(t.Context(), lab.QEMUOptions{
		Hosts:   map[string]string{"github.example": "127.70.0.1"},
		CA:      []byte("a certificate\n"),
		Forward: []string{server.Addr().String()},
	})
	if errors.Is(err, lab.ErrNoMirror) {
		t.Fatalf("the virtual machine was NOT TESTED: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := v.Close(); err != nil {
			t.Error(err)
		}
	})
	sh := func(t *testing.T, script string) lab.Result {
		t.Helper()
		r, err := v.Run(t.Context(), "bash", "-c", script)
		if err != nil {
			t.Fatalf("%s: %v", script, err)
		}
		return r
	}
	want := func(t *testing.T, script, stdout string) {
		t.Helper()
		if r := sh(t, script); r.Status != 0 || r.Stdout != stdout {
			t.Errorf("%s: got %+v, want %q", script, r, stdout)
		}
	}
	_, port, _ := net.SplitHostPort(server.Addr().String())

	t.Run("run", func(t *testing.T) {
		r, err := v.Do(t.Context(), lab.Command{
			Argv:  []string{"sh", "-c", `cat; printf "%s\n" "$SECRET"; id -un; echo 'it is' "wrong" >&2; exit 7`},
			Env:   []string{"SECRET=$a 'b' \"c\""},
			User:  "nobody",
			Stdin: []byte("given\n"),
		})
		want := lab.Result{Stdout: "given\n$a 'b' \"c\"\nnobody\n", Stderr: "it is wrong\n", Status: 7}
		if err != nil || r != want {
			t.Errorf("got  %+v, %v\nwant %+v", r, err, want)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := v.Run(ctx, "sleep", "4713"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the error is %v, want the context's", err)
		}
		if r := sh(t, "pgrep -x sleep"); r.Stdout != "" {
			t.Errorf("the command lives on as %s", r.Stdout)
		}
	})
	t.Run("files", func(t *testing.T) {
		data := strings.Repeat("0123456789abcdef\n\x00\xff", 1<<18)
		if err := v.Put("/srv/a dir/file", []byte(data), 0o750); err != nil {
			t.Fatal(err)
		}
		if got, err := v.Read("/srv/a dir/file"); err != nil || string(got) != data {
			t.Errorf("read %d bytes, %v; want the %d that were written", len(got), err, len(data))
		}
		want(t, `stat -c %a "/srv/a dir" "/srv/a dir/file"`, "755\n750\n")
	})
	t.Run("outside", func(t *testing.T) {
		want(t, `exec 3<>/dev/tcp/github.example/`+port+`; cat <&3`, "hello from outside\n")
		want(t, "cat /usr/local/share/ca-certificates/benchctl-lab.crt; tail -1 /etc/ssl/certs/ca-certificates.crt", "a certificate\na certificate\n")
	})
	t.Run("cpufreq", func(t *testing.T) {
		const policy = "/sys/devices/system/cpu/cpufreq/policy"
		want(t, "cat "+policy+"*/scaling_driver", "acpi-cpufreq\nacpi-cpufreq\n")
		want(t, "cat "+policy+"1/affected_cpus", "1\n")
		want(t, "for g in powersave performance; do echo $g >"+policy+"1/scaling_governor && cat "+policy+"1/scaling_governor; done", "powersave\nperformance\n")
		if r := sh(t, "echo nonsense >"+policy+"0/scaling_governor"); r.Status == 0 || !strings.Contains(r.Stderr, "Invalid argument") {
			t.Errorf("a governor that does not exist: %+v, want EINVAL", r)
		}
	})
	t.Run("hotplug", func(t *testing.T) {
		const cpu1 = "/sys/devices/system/cpu/cpu1/online"
		// The kernel keeps the policy of a CPU that is off, and refuses to read it.
		const governor = "/sys/devices/system/cpu/cpufreq/policy1/scaling_governor"
		want(t, "echo 0 >"+cpu1+" && cat /sys/devices/system/cpu/online; ls "+governor, "0\n"+governor+"\n")
		if r := sh(t, "cat "+governor); !strings.Contains(r.Stderr, "Device or resource busy") {
			t.Errorf("the governor of a CPU that is off: %+v, want EBUSY", r)
		}
		want(t, "echo 1 >"+cpu1+" && cat /sys/devices/system/cpu/online; cat /sys/devices/system/cpu/cpufreq/policy1/scaling_driver", "0-1\nacpi-cpufreq\n")
	})
	t.Run("reboot", func(t *testing.T) {
		before := sh(t, "cat /proc/sys/kernel/random/boot_id; echo kept >/var/lib/kept").Stdout
		if err := v.Reboot(t.Context()); err != nil {
			t.Fatal(err)
		}
		if after := sh(t, "cat /proc/sys/kernel/random/boot_id").Stdout; after == before {
			t.Error("the machine did not reboot")
		}
		want(t, "cat /var/lib/kept", "kept\n")
		want(t, `exec 3<>/dev/tcp/github.example/`+port+`; cat <&3`, "hello from outside\n")
	})
	t.Run("kill", func(t *testing.T) {
		sh(t, "echo synced >/var/lib/synced; sync")
		if err := v.Kill(); err != nil {
			t.Fatal(err)
		}
		if _, err := v.Run(t.Context(), "true"); !errors.Is(err, lab.ErrDown) {
			t.Errorf("running in a machine that is down: %v", err)
		}
		if err := v.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		want(t, "cat /var/lib/synced", "synced\n")
	})
}
