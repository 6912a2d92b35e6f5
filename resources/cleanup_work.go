package resources

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/reconcile"
)

// Of the work directory, the runner's own are those that begin with _: _actions
// and _temp, which it empties at each job, _tool, _update and _PipelineMapping.
// The last has a file for each repository that is written at each job's start.
// Source: Constants.cs and TrackingManager.cs of the runner.
const (
	runnersOwn    = "_"
	jobsStarted   = "_PipelineMapping"
	lastJobOfRepo = "PipelineFolder.json"
)

// errShort says that less is free than the spec wants, and nothing can go.
var errShort = errors.New("too little is free")

// A workDir is what one repository's jobs work in.
type workDir struct {
	place
	name string
	used time.Time
}

// work lists what goes of the directories that jobs work in: what a removal left
// that was cut off, what is too old, and more of it as long as space is needed.
func (c cleanup) work(ctx context.Context, r host.Reader, top place) ([]leaving, error) {
	found, dirs, err := c.workDirs(r, top)
	if err != nil {
		return nil, err
	}
	var rest []workDir
	for _, d := range dirs {
		l, old, failed := c.old(ctx, r, d)
		if err = errors.Join(err, failed); old {
			found = append(found, l)
		} else if failed == nil {
			rest = append(rest, d)
		}
	}
	more, short := c.makeRoom(ctx, r, top, found, rest)
	return append(found, more...), errors.Join(err, short)
}

// workDirs lists the directories of repositories, the longest unused first, and
// apart from them what a removal left. What is root's is not of a job.
func (c cleanup) workDirs(r host.Reader, top place) (cut []leaving, dirs []workDir, err error) {
	entries, err := top.list(r)
	if err != nil {
		return nil, nil, err
	}
	jobs, err := lastJobs(r, top)
	if err != nil {
		return nil, nil, err
	}
	for _, e := range entries {
		switch d := (workDir{top.in(e.Name), e.Name, e.Changed()}); {
		case strings.HasPrefix(e.Name, host.GonePrefix):
			cut = append(cut, cutOff(d.place, c.field(d.place)))
		case strings.HasPrefix(e.Name, runnersOwn) || e.UID == 0:
		default:
			if d.used, err = glance(r, d.place, e); err != nil {
				return cut, dirs, err
			}
			d.used = later(d.used, jobs[e.Name])
			dirs = append(dirs, d)
		}
	}
	slices.SortStableFunc(dirs, func(a, b workDir) int { return a.used.Compare(b.used) })
	return cut, dirs, nil
}

// cutOff is what an earlier removal did not get to the end of.
func cutOff(p place, field string) leaving {
	return leaving{places: []place{p}, field: field, why: "left by a removal that was cut off"}
}

// field names a place in a report.
func (c cleanup) field(p place) string { return below(c.spec.InstallDir, p.path()) }

// lastJobs are the runner's own notes: for each repository, when a job of it
// last began.
func lastJobs(r host.Reader, top place) (map[string]time.Time, error) {
	jobs := map[string]time.Time{}
	owners, err := top.in(jobsStarted).list(r)
	for _, owner := range owners {
		repos, failed := top.in(jobsStarted).in(owner.Name).list(r)
		err = errors.Join(err, failed)
		for _, repo := range repos {
			notes, failed := top.in(jobsStarted).in(owner.Name).in(repo.Name).list(r)
			err = errors.Join(err, failed)
			for _, note := range notes {
				if note.Name == lastJobOfRepo {
					jobs[repo.Name] = later(jobs[repo.Name], note.Changed())
				}
			}
		}
	}
	return jobs, err
}

// glance is when a directory was last used, as far as it and the checkout in it
// tell without a walk.
func glance(r host.Reader, d place, e host.Entry) (time.Time, error) {
	used := e.Changed()
	if !e.IsDir() {
		return used, nil
	}
	outer, err := d.list(r)
	inner, err2 := d.in(e.Name).list(r)
	for _, below := range slices.Concat(outer, inner) {
		used = later(used, below.Changed())
	}
	return used, errors.Join(err, err2)
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// old reports whether nothing in a directory is younger than the spec's age. At
// what seems old it looks closely.
func (c cleanup) old(ctx context.Context, r host.Reader, d workDir) (l leaving, old bool, err error) {
	age := c.spec.Cleanup.Work
	if age == 0 || c.now().Sub(d.used) < age {
		return l, false, nil
	}
	tree, err := measure(ctx, r, d.place)
	if err != nil || tree.Files == 0 || c.now().Sub(tree.Changed) < age {
		return l, false, err
	}
	why := "unused for " + unusedFor(c.now().Sub(later(d.used, tree.Changed)))
	return leaving{places: []place{d.place}, field: c.field(d.place), why: why, tree: tree}, true, nil
}

// measure looks into a tree that may go; what has gone already is empty. One with
// something mounted in it stays: that is not of a job.
func measure(ctx context.Context, r host.Reader, p place) (host.Tree, error) {
	tree, err := r.MeasureBelow(ctx, p.root, p.name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return host.Tree{}, nil
	case err != nil:
		return tree, unseen(err)
	case tree.Mounted != "":
		return tree, reconcile.Tolerate(unseen(fmt.Errorf("%s stays: something is mounted in it, at %s; unmount that, and it can go", plain(p.path()), plain(tree.Mounted))))
	}
	return tree, nil
}

// makeRoom lists further directories, the longest unused first, until what the
// spec wants is free, or nothing is left.
func (c cleanup) makeRoom(ctx context.Context, r host.Reader, top place, found []leaving, dirs []workDir) (more []leaving, err error) {
	want := c.spec.Cleanup.MinFree
	if want == 0 {
		return nil, nil
	}
	disk, err := r.Disk(top.path())
	if err != nil {
		return nil, unseen(err)
	}
	free := int64(disk.Free)
	short := want - free
	for _, l := range found {
		short -= l.tree.Bytes
	}
	for _, d := range dirs {
		if short <= 0 {
			return more, err
		}
		tree, failed := measure(ctx, r, d.place)
		if err = errors.Join(err, failed); failed != nil || tree.Files == 0 {
			continue
		}
		why := fmt.Sprintf("unused for %s, %s free of %s wanted", unusedFor(c.now().Sub(d.used)), sizeText(free), sizeText(want))
		more = append(more, leaving{places: []place{d.place}, field: c.field(d.place), why: why, tree: tree})
		short -= tree.Bytes
	}
	if short > 0 {
		err = errors.Join(err, fmt.Errorf("%w: %s on the file system at %s, %s wanted, and no work directory is left to remove; make room there (du -xh -d 2 %[3]s | sort -h), or ask for less with cleanup.minFree",
			errShort, sizeText(free), disk.Mount, sizeText(want)))
	}
	return more, err
}
