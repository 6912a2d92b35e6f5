package resources

import (
	"context"

	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/reconcile"
)

// noJDK is a spec that asks for no JDK. What is left to look after is the apt
// repository of one that an earlier spec asked for.
type noJDK struct{}

var _ reconcile.Resource = noJDK{}

func (noJDK) ID() reconcile.ID { return jdkID }

// Diff looks for a repository that nothing asks for any more.
func (noJDK) Diff(_ context.Context, r host.Reader) ([]reconcile.Change, error) {
	var none *aptRepository
	return none.diff(r)
}

// Apply removes it.
func (noJDK) Apply(_ context.Context, h host.Host) error { return dropRepository(h) }
