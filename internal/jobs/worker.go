package jobs

import (
	"fmt"
	"slices"
	"time"
)

// A Worker runs one job.
type Worker struct {
	PID   int
	Since time.Time
}

// Workers are those of this runner that live, the oldest first, in whatever unit
// they do. A job that was only just received has none yet; see [Keeper.Idle].
func (k *Keeper) Workers() ([]Worker, error) {
	_, found, err := k.find()
	if err != nil {
		return nil, fmt.Errorf("cannot list the processes: %w", err)
	}
	var workers []Worker
	for _, p := range found {
		workers = append(workers, Worker{PID: p.PID, Since: k.proc.since(p)})
	}
	slices.SortFunc(workers, func(a, b Worker) int { return a.Since.Compare(b.Since) })
	return workers, nil
}
