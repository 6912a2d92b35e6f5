package jobs

import "context"

// A guardian is the process that runs [Guard], as its owner sees it.
type guardian struct {
	target
	dismiss func()          // ends it, and returns when it is gone
	gone    context.Context // done when it has ended
}

// watch makes a guardian of a process that has said that it is on duty.
func watch(pid int, dismiss func()) (*guardian, error) {
	p, err := proc("/proc").process(pid)
	if err != nil {
		dismiss()
		return nil, err
	}
	t, err := proc("/proc").grab(p)
	if err != nil {
		dismiss()
		return nil, err
	}
	gone, end := context.WithCancel(context.Background())
	go func() {
		_ = t.wait(gone)
		end()
	}()
	return &guardian{target: t, dismiss: dismiss, gone: gone}, nil
}

// leave sends the guardian away.
func (g *guardian) leave() {
	g.dismiss()
	g.fd.Close()
}
