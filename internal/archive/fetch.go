package archive

import (
	"context"
	"fmt"
	"io"

	"github.com/SKaiNET-developers/benchctl/internal/host"
)

// Fetch returns the whole of a small file, of at most most bytes, from a URL or
// an absolute path. pinned says that the caller knows its digest; without one
// only what nobody else can alter is taken.
func Fetch(ctx context.Context, name string, most int64, pinned bool) ([]byte, error) {
	var data []byte
	err := retry(ctx, func() (err error) {
		data, err = fetch(ctx, name, most, pinned)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("cannot get %s: %w", host.Printable(name), err)
	}
	return data, nil
}

func fetch(ctx context.Context, name string, most int64, pinned bool) ([]byte, error) {
	src, err := open(ctx, name, pinned)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	data, err := io.ReadAll(io.LimitReader(src, most+1))
	switch {
	case int64(len(data)) > most:
		return nil, fmt.Errorf("it has more than %d bytes; check the address", most)
	case err != nil:
		return nil, src.broken(err, int64(len(data)))
	}
	return data, nil
}
