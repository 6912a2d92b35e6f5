package linux

import (
	"context"
	"strings"

	"github.com/SKaiNET-developers/benchctl/internal/archive"
	"github.com/SKaiNET-developers/benchctl/internal/host"
)

// Fetch returns the whole of a small file.
func (m *Machine) Fetch(ctx context.Context, source string, most int64, pinned bool) ([]byte, error) {
	if strings.HasPrefix(source, "/") {
		source = m.at(source)
	}
	return archive.Fetch(ctx, source, most, pinned)
}

// Unpack installs a tar.gz into a new directory.
func (m *Machine) Unpack(ctx context.Context, a host.Archive) (host.Unpacked, error) {
	m.before("unpack", a.Dir)
	a.Dir = m.at(a.Dir)
	if strings.HasPrefix(a.Source, "/") {
		a.Source = m.at(a.Source)
	}
	return archive.Install(ctx, a)
}
