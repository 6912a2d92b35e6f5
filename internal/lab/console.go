package lab

import (
	"sync"
	"sync/atomic"
)

// console keeps the end of what a machine says while it boots.
type console struct {
	mu   sync.Mutex
	text []byte
}

const consoleSize = 64 << 10

// Write appends to the console, forgetting its beginning when it gets long.
func (c *console) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.text = append(c.text, p...)
	if over := len(c.text) - consoleSize; over > 0 {
		c.text = append([]byte(nil), c.text[over:]...)
	}
	return len(p), nil
}

// String returns what is kept.
func (c *console) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return string(c.text)
}

// counter numbers things.
type counter struct{ n atomic.Int64 }

func (c *counter) next() int64 { return c.n.Add(1) }
