package linux

import (
	"context"
	"strings"

	"github.com/SKaiNET-developers/benchctl/internal/archive"
	"github.com/SKaiNET-developers/benchctl/internal/host"
)

// Unpack installs a tar.gz into a new directory.
func (m *Machine) Unpack(ctx context.Context, a host.Archive) (host.Unpacked, error) {
	m.before("unpack", a.Dir)
	a.Dir = m.at(a.Dir)
	if strings.HasPrefix(a.Source, "/") {
		a.Source = m.at(a.Source)
	}
	return archive.Install(ctx, a)
}
