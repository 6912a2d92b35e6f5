package archive

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"strconv"

	"github.com/klauspost/compress/gzip"

	"github.com/SKaiNET-developers/benchctl/internal/host"
)

// An intake is the first stage: it reads and hashes the source to its very
// end, whether or not the stages behind it still listen, because only the
// digest of the whole tells a wrong file from a bad archive.
type intake struct {
	ctx      context.Context
	src      *source
	progress func(done, total int64)
	most     int64
	out      *pipe

	// To be looked at once done is closed.
	done  chan struct{}
	err   error
	bytes int64
	sum   hash.Hash
	start []byte // how it begins
}

func newIntake(ctx context.Context, src *source, progress func(int64, int64), most int64) *intake {
	return &intake{ctx: ctx, src: src, progress: progress, most: most,
		out: newPipe(), done: make(chan struct{}), sum: sha256.New()}
}

func (in *intake) run() {
	defer close(in.done)
	err := in.copy()
	if err != io.EOF {
		in.err = err
	}
	in.out.end(err)
}

// copy returns io.EOF at the end of the source.
func (in *intake) copy() error {
	var unheard []byte
	for {
		block := in.out.empty()
		heard := block != nil
		if !heard {
			if unheard == nil {
				unheard = make([]byte, blockSize)
			}
			block = unheard
		}
		n, err := fill(in.src, block)
		in.note(block[:n])
		if heard && n > 0 {
			in.out.full <- block[:n]
		}
		switch {
		case in.ctx.Err() != nil:
			return context.Cause(in.ctx)
		case in.bytes > in.most:
			return unsound("it is bigger than %d bytes", in.most)
		case err == io.EOF:
			return io.EOF
		case err != nil:
			return in.src.broken(err, in.bytes)
		}
	}
}

func (in *intake) note(b []byte) {
	if in.bytes == 0 {
		in.start = bytes.Clone(b[:min(len(b), 16)])
	}
	in.sum.Write(b)
	in.bytes += int64(len(b))
	if in.progress != nil {
		in.progress(in.bytes, in.src.size)
	}
}

func (in *intake) digest() string { return hex.EncodeToString(in.sum.Sum(nil)) }

// digestError describes the source as not being what was wanted.
func (in *intake) digestError(want string) error {
	e := &host.DigestError{Source: host.Printable(in.src.name), Have: in.digest(), Want: want}
	if !bytes.HasPrefix(in.start, []byte{0x1f, 0x8b}) {
		e.Begins = strconv.QuoteToASCII(string(in.start))
	}
	return e
}

// inflate is the second stage.
func inflate(in *pipe, limits Limits) *pipe {
	out := newPipe()
	go func() {
		defer in.leave()
		out.end(inflateTo(out, in, limits))
	}()
	return out
}

// inflateTo returns io.EOF at a proper end, and when nobody reads any more.
func inflateTo(out, in *pipe, limits Limits) error {
	gz, err := gzip.NewReader(bufio.NewReaderSize(in, 64<<10))
	if errors.Is(err, gzip.ErrHeader) {
		return unsound("it is not gzip")
	}
	if err != nil {
		return bad(err)
	}
	var total int64
	for {
		block := out.empty()
		if block == nil {
			return io.EOF
		}
		n, err := fill(gz, block)
		out.full <- block[:n]
		total += int64(n)
		switch {
		case total > limits.Bytes:
			return unsound("it unpacks to more than %d bytes", limits.Bytes)
		case total > 64<<20 && total/limits.Ratio > in.read:
			return unsound("it unpacks to more than %d times its size", limits.Ratio)
		case err == io.EOF:
			return io.EOF
		case err != nil:
			return bad(err)
		}
	}
}

// bad says what is wrong with the compressed stream.
func bad(err error) error {
	switch {
	case err == io.EOF, errors.Is(err, io.ErrUnexpectedEOF):
		return unsound("it ends too early")
	case errors.Is(err, gzip.ErrHeader):
		return unsound("something that is no archive follows it")
	case errors.Is(err, gzip.ErrChecksum):
		return unsound("its checksum is wrong")
	}
	return unsound("%w", err)
}
