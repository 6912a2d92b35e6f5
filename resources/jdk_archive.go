package resources

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/reconcile"
	"github.com/SKaiNET-developers/benchctl/spec"
)

// A jdkArchive is a JDK from a tar.gz, unpacked to /usr/lib/jvm/benchctl-VERSION.
type jdkArchive struct {
	jdk *spec.JDK
	apt *Apt
}

var _ reconcile.Resource = jdkArchive{}

// jdkMark, in the JDK's directory, holds the digest of the archive that it is
// from. It is written before the directory gets its name.
const jdkMark = ".benchctl-sha256"

func jdkArchiveDir(j *spec.JDK) string { return "/usr/lib/jvm/benchctl-" + j.Version }

// ID names the kind.
func (jdkArchive) ID() reconcile.ID { return jdkID }

// Diff compares what lies there: which archive it is from and which Java it is.
func (j jdkArchive) Diff(_ context.Context, r host.Reader) ([]reconcile.Change, error) {
	var none *aptRepository
	changes, err := none.diff(r)
	if err != nil {
		return nil, err
	}
	dir := jdkArchiveDir(j.jdk)
	if _, err := r.Lstat(dir); err != nil {
		return append(changes, packageChange(dir, "absent", "Java "+j.jdk.Version)), nil
	}
	mark, _ := r.ReadFile(dir + "/" + jdkMark)
	have := strings.TrimSpace(string(mark))
	if want := j.digest(r); want != "" && have != want {
		changes = append(changes, packageChange("sha256", orAbsent(have), want))
	}
	if java := javaCondition(r, dir); java != j.jdk.Version {
		changes = append(changes, packageChange(dir, java, j.jdk.Version))
	}
	return changes, nil
}

// digest is the one that the spec gives, or that was accepted earlier.
func (j jdkArchive) digest(r host.Reader) string {
	if j.jdk.SHA256 != "" {
		return j.jdk.SHA256
	}
	return trustedDigest(r, j.jdk.Archive)
}

// Apply unpacks the archive beside its place and swaps it in whole.
func (j jdkArchive) Apply(ctx context.Context, h host.Host) error {
	if err := dropRepository(h); err != nil {
		return err
	}
	dir := jdkArchiveDir(j.jdk)
	staged, old := "/usr/lib/jvm/.benchctl-new", "/usr/lib/jvm/.benchctl-old"
	if err := bringParents(h, "/usr/lib/jvm"); err != nil {
		return err
	}
	if err := errors.Join(h.Mkdir("/usr/lib/jvm", host.Perm{Mode: 0o755}), h.RemoveAll(staged)); err != nil {
		return err
	}
	if err := j.unpack(ctx, h, staged); err != nil {
		return errors.Join(err, h.RemoveAll(staged))
	}
	if err := h.RemoveAll(old); err != nil {
		return err
	}
	if _, err := h.Lstat(dir); err == nil {
		if err := h.Rename(dir, old); err != nil {
			return err
		}
	}
	return errors.Join(h.Rename(staged, dir), h.RemoveAll(old))
}

// unpack puts the archive into dir, and looks at whether it is that Java.
func (j jdkArchive) unpack(ctx context.Context, h host.Host, dir string) error {
	source, want := j.jdk.Archive, j.digest(h)
	done, err := h.Unpack(ctx, host.Archive{
		Source: source, SHA256: want, Trust: j.apt.Trust, Dir: dir, Strip: 1,
		Progress: percent(ctx, "unpacking "+host.Printable(source)),
	})
	if err != nil {
		return unpackError(err, "jdk")
	}
	if java := javaCondition(h, dir); java != j.jdk.Version {
		return fmt.Errorf("cannot install Java %s: %s holds %s; check jdk.archive and jdk.version", j.jdk.Version, host.Printable(source), inWords(java))
	}
	if want == "" {
		if err := recordTrust(h, source, done.SHA256); err != nil {
			return err
		}
	}
	if err := h.Replace(dir+"/"+jdkMark, []byte(done.SHA256+"\n"), host.Perm{Mode: 0o644}); err != nil {
		return err
	}
	return h.SetPerm(dir, host.Perm{Mode: 0o755})
}

// inWords makes a sentence's object of what javaCondition returned.
func inWords(java string) string {
	if strings.Trim(java, "0123456789") == "" {
		return "Java " + java
	}
	return "no JDK at its top (" + java + ")"
}

// percent reports now and then how far something long has come, in bytes where
// nobody said how many there will be.
func percent(ctx context.Context, what string) func(done, total int64) {
	say, pace, told := reconcile.Progress(ctx), reconcile.Pace(ctx), time.Now()
	return func(done, total int64) {
		if time.Since(told) < pace {
			return
		}
		told = time.Now()
		if total > 0 {
			say(fmt.Sprintf("%s: %d %% of %.0f MB", what, done*100/total, float64(total)/1e6))
		} else {
			say(fmt.Sprintf("%s: %.0f MB", what, float64(done)/1e6))
		}
	}
}

func orAbsent(s string) string {
	if s == "" {
		return "absent"
	}
	return s
}
