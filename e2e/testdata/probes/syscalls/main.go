// Command syscalls tries one thing that a sandbox may forbid, and ends with
// status 0 if it was allowed. What was said no to is printed.
package main

import (
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

var tries = map[string]func() error{
	"perf_event_open": func() error {
		attr := unix.PerfEventAttr{
			Type:   unix.PERF_TYPE_SOFTWARE,
			Config: unix.PERF_COUNT_SW_TASK_CLOCK,
			Size:   uint32(unsafe.Sizeof(unix.PerfEventAttr{})),
			Bits:   unix.PerfBitExcludeKernel | unix.PerfBitExcludeHv,
		}
		_, err := unix.PerfEventOpen(&attr, 0, -1, -1, 0)
		return err
	},
	"io_uring": func() error { return raw(unix.SYS_IO_URING_SETUP, 1, uintptr(unsafe.Pointer(&[120]byte{})), 0) },
	"userfaultfd": func() error {
		const userModeOnly = 1
		return raw(unix.SYS_USERFAULTFD, userModeOnly, 0, 0)
	},
	"keyctl": func() error {
		_, err := unix.KeyctlGetKeyringID(unix.KEY_SPEC_SESSION_KEYRING, true)
		return err
	},
	"bpf": func() error { return raw(unix.SYS_BPF, 0, uintptr(unsafe.Pointer(&[128]byte{})), 128) },
	"vsock": func() error {
		_, err := unix.Socket(unix.AF_VSOCK, unix.SOCK_STREAM, 0)
		return err
	},
	"packet": func() error {
		_, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW, 0)
		return err
	},
	"sethostname": func() error { return unix.Sethostname([]byte("stolen")) },
	"settime":     func() error { return unix.Settimeofday(&unix.Timeval{Sec: 1}) },
}

func raw(number, a, b, c uintptr) error {
	if _, _, errno := unix.Syscall(number, a, b, c); errno != 0 {
		return errno
	}
	return nil
}

func main() {
	try, known := tries[os.Args[1]]
	if !known {
		fmt.Println("unknown try", os.Args[1])
		os.Exit(2)
	}
	if err := try(); err != nil {
		fmt.Println(os.Args[1], err)
		os.Exit(1)
	}
}
