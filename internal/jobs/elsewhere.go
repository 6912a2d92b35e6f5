package jobs

import (
	"os"

	"golang.org/x/sys/unix"
)

// elsewhere reports whether a process belongs to another machine that this
// kernel runs, such as the copy that a rehearsal boots: a runner of the same
// unit lives at the same path there. Such a process has other PIDs than ours,
// and finds another directory where this runner's is. If the kernel will not
// tell, it is here.
func (k *Keeper) elsewhere(pid int) bool {
	ours, err1 := os.Readlink(string(k.proc) + "/self/ns/pid")
	its, err2 := os.Readlink(k.proc.path(pid, "ns/pid"))
	if err1 != nil || err2 != nil || ours == its {
		return false
	}
	var here, there unix.Stat_t
	if err := unix.Stat(k.proc.path(pid, "root"+k.runner.Dir), &there); err != nil {
		return err == unix.ENOENT
	}
	err := unix.Stat(k.runner.Dir, &here)
	return err == unix.ENOENT || err == nil && (here.Dev != there.Dev || here.Ino != there.Ino)
}
