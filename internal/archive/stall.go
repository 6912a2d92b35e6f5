package archive

import (
	"context"
	"errors"
	"io"
	"time"
)

// A server is given up when less than enough bytes came in so much waiting for
// it: at 1 KiB a second a runner would take days.
const (
	window = time.Minute
	enough = 60 << 10
)

var (
	errStalled = errors.New("nothing more came for a minute")
	errDrips   = errors.New("less than 1 KiB a second came for a minute")
)

// A watched body ends when nothing, or next to nothing, comes for too long.
// Only the time of waiting for it counts: that the disk behind is slow is no
// fault of the server's.
type watched struct {
	body   io.ReadCloser
	ctx    context.Context // of the request
	cancel context.CancelCauseFunc
	timer  *time.Timer // ends a single wait

	waited time.Duration // in this window
	came   int           // bytes, meanwhile
}

func watch(ctx context.Context, body io.ReadCloser, cancel context.CancelCauseFunc) *watched {
	w := &watched{body: body, ctx: ctx, cancel: cancel}
	w.timer = time.AfterFunc(window, func() { cancel(errStalled) })
	return w
}

// Read reads from the body, and says why when the watch ended it.
func (w *watched) Read(b []byte) (int, error) {
	w.timer.Reset(window)
	begun := time.Now()
	n, err := w.body.Read(b)
	w.timer.Stop()
	w.waited += time.Since(begun)
	w.came += n
	if err == nil && w.waited >= window {
		if w.came < enough {
			w.cancel(errDrips)
			return n, errDrips
		}
		w.waited, w.came = 0, 0
	}
	if err != nil && err != io.EOF && context.Cause(w.ctx) != nil {
		err = context.Cause(w.ctx)
	}
	return n, err
}

// Close ends the request too.
func (w *watched) Close() error {
	w.timer.Stop()
	w.cancel(nil)
	return w.body.Close()
}
