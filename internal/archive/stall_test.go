package archive

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"
)

// A slowBody gives some bytes each time, after a while.
type slowBody struct {
	ctx   context.Context
	bytes int
	pause time.Duration
	times int // then it ends
}

func (s *slowBody) Read(b []byte) (int, error) {
	if s.times == 0 {
		return 0, io.EOF
	}
	s.times--
	select {
	case <-s.ctx.Done():
		return 0, s.ctx.Err()
	case <-time.After(s.pause):
		return min(s.bytes, len(b)), nil
	}
}

func (*slowBody) Close() error { return nil }

func TestASlowServerIsGivenUpADeadOneToo(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		bytes, times int
		pause        time.Duration
		want         error
		within       time.Duration
	}{
		"a byte now and then":         {1, 1 << 30, 5 * time.Second, errDrips, window},
		"a byte each second":          {1, 1 << 30, time.Second, errDrips, window},
		"nothing at all":              {1, 1, time.Hour, errStalled, window},
		"a bad line":                  {3 << 10, 3000, time.Second, nil, time.Hour},
		"big blocks, some time apart": {8 << 10, 100, 7 * time.Second, nil, time.Hour},
		"a small file, slowly":        {10, 5, 10 * time.Second, nil, time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(t.Context())
				w := watch(ctx, &slowBody{ctx, c.bytes, c.pause, c.times}, cancel)
				defer w.Close()
				begun := time.Now()
				_, err := io.Copy(io.Discard, w)
				if !errors.Is(err, c.want) || c.want == nil && err != nil {
					t.Errorf("it ends with %v, want %v", err, c.want)
				}
				if took := time.Since(begun); took > c.within {
					t.Errorf("it took %s", took)
				}
			})
		})
	}
}

// While the disk is slow, nobody reads and nothing comes.
func TestASlowDiskIsNoSlowServer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		w := watch(ctx, &slowBody{ctx, 1, time.Millisecond, 1 << 30}, cancel)
		defer w.Close()
		for range 100 {
			if _, err := w.Read(make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * window)
		}
	})
}
