package reconcile

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/internal/host/hosttest"
)

// tried is a fake whose change another resource can take back.
type tried struct {
	*fake
	back error
}

func (t *tried) Verdict() error { return t.back }

// taker takes the change of another back.
type taker struct {
	*fake
	from *tried
	why  error
}

func (t taker) Apply(ctx context.Context, h host.Host) error {
	t.from.back = t.why
	return t.fake.Apply(ctx, h)
}

// What is taken back before the end has failed, although it was seen to be made.
func TestWhatIsTakenBackHasFailed(t *testing.T) {
	t.Parallel()
	for why, want := range map[error]Status{nil: Changed, errors.New("it did not listen"): Failed} {
		var log []string
		first := &tried{fake: &fake{kind: "a", want: "1", log: &log}}
		got := Apply(t.Context(), hosttest.New(t, ""), []Resource{
			first, taker{&fake{kind: "b", want: "1", needs: []string{"a"}, log: &log}, first, why},
		}, Options{Jobs: NoJobs{}})
		if got[0].Status != want || !errors.Is(got[0].Err, why) || got[1].Status != Changed {
			t.Errorf("taken back for %v: %+v", why, got)
		}
	}
}

// What is withheld is a failure of which nothing else suffers, and the rest of
// that resource is looked after.
func TestWhatIsWithheldStopsNothingElse(t *testing.T) {
	t.Parallel()
	withheld := fmt.Errorf("%w: it did not listen yesterday", ErrWithheld)
	for have, want := range map[string]string{"1": "apply b", "0": "apply a apply b"} {
		var log []string
		report := NewReport("apply", "h", SpecRef{}, time.Now(), 0, Apply(t.Context(), hosttest.New(t, ""), []Resource{
			&fake{kind: "a", have: have, want: "1", diffErr: withheld, log: &log},
			&fake{kind: "b", want: "1", needs: []string{"a"}, log: &log},
		}, Options{Jobs: NoJobs{}}))
		got := report.Results
		if got[0].Status != Failed || !errors.Is(got[0].Err, ErrWithheld) || got[1].Status != Changed || report.ExitCode() != ExitError {
			t.Errorf("with %q: %+v, exit code %d", have, got, report.ExitCode())
		}
		if did := strings.Join(log, " "); did != want {
			t.Errorf("with %q did %q, want %q", have, did, want)
		}
	}
}
