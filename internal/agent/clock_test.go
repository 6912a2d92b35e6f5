package agent

import (
	"testing"
	"time"
)

func rings(t *testing.T, ring <-chan struct{}) {
	t.Helper()
	select {
	case <-ring:
	case <-time.After(10 * time.Second):
		t.Error("it does not ring")
	}
}

func TestWallClock(t *testing.T) {
	t.Parallel()
	c, err := NewWallClock()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	at := c.Now().Add(20 * time.Millisecond)
	rings(t, c.Ring(at))
	if now := c.Now(); now.Before(at) {
		t.Errorf("it rings %s early", at.Sub(now))
	}
	rings(t, c.Ring(c.Now().Add(-time.Hour)))
	rings(t, c.Ring(time.Date(1960, 1, 1, 0, 0, 0, 0, time.UTC)))
	c.Ring(c.Now().Add(time.Hour))
	rings(t, c.Ring(c.Now().Add(20*time.Millisecond)))
	ring := c.Ring(c.Now().Add(time.Second))
	c.Ring(time.Time{})
	select {
	case <-ring:
		t.Error("it rings without an alarm")
	case <-time.After(1500 * time.Millisecond):
	}
	if now := c.Now(); now != now.Round(0) {
		t.Error("its time has a monotonic reading")
	}
}
