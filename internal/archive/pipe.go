package archive

import "io"

const (
	blockSize = 256 << 10
	blocks    = 8 // in each pipe, which makes 2 MiB
)

// A pipe hands blocks from one goroutine to another. The blocks go round: what
// the reader has read, the writer fills again.
type pipe struct {
	full, free chan []byte
	gone       chan struct{} // closed when the reader reads no more
	err        error         // why it ended; set before full is closed

	// The reader's own.
	block, rest []byte
	read        int64
}

func newPipe() *pipe {
	p := &pipe{
		full: make(chan []byte, blocks),
		free: make(chan []byte, blocks),
		gone: make(chan struct{}),
	}
	for range blocks {
		p.free <- nil
	}
	return p
}

// whole is a block at its full length, made when first needed: a small archive
// needs few.
func whole(b []byte) []byte {
	if b == nil {
		return make([]byte, blockSize)
	}
	return b[:blockSize]
}

// leave is called by the reader, once, when it reads no more.
func (p *pipe) leave() { close(p.gone) }

// end is called by the writer, once.
func (p *pipe) end(err error) {
	p.err = err
	close(p.full)
}

// empty is the next block to fill, or nil when the reader is gone.
func (p *pipe) empty() []byte {
	select {
	case <-p.gone:
		return nil
	default:
	}
	select {
	case b := <-p.free:
		return whole(b)
	case <-p.gone:
		return nil
	}
}

// Read waits for the writer.
func (p *pipe) Read(b []byte) (int, error) {
	if len(p.rest) == 0 {
		if p.block != nil {
			p.free <- p.block
			p.block = nil
		}
		next, ok := <-p.full
		if !ok {
			return 0, p.err
		}
		p.block, p.rest = next, next
	}
	n := copy(b, p.rest)
	p.rest = p.rest[n:]
	p.read += int64(n)
	return n, nil
}

// fill reads until block is full or there is an error, which it hands on as it
// is: io.ReadFull would make an end look like a connection that broke.
func fill(r io.Reader, block []byte) (n int, err error) {
	for n < len(block) && err == nil {
		var m int
		m, err = r.Read(block[n:])
		n += m
	}
	return n, err
}
