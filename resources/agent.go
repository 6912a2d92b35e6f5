package resources

import (
	"context"
	"fmt"

	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/reconcile"
)

// agent stands for the spec's schedule, which this version reads and checks
// and does not act on. It says so in every report rather than pass it over.
type agent struct{}

func (agent) ID() reconcile.ID { return reconcile.ID{Kind: "agent"} }

func (agent) Diff(context.Context, host.Reader) ([]reconcile.Change, error) {
	return nil, reconcile.Tolerate(fmt.Errorf("%w: this version has no agent yet, so nothing runs on the schedule; run benchctl apply by hand or from a timer",
		reconcile.ErrUnsupported))
}

func (agent) Apply(context.Context, host.Host) error { return nil }
