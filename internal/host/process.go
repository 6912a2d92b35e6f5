package host

import "time"

// A Process is one that was seen. The PID alone may have gone to another since;
// with the start it names exactly one process of a boot.
type Process struct {
	PID, PPID int
	UID       int    // -1 when its user IDs differ from each other
	Name      string // what the kernel calls it: at most 15 bytes, and it may choose them
	Start     uint64 // clock ticks from boot to its start
	Since     time.Time
}
