package main

import (
	"context"

	"github.com/SKaiNET-developers/benchctl/reconcile"
)

// conclude keeps and tells what a pass or an apply came to.
func conclude(_ context.Context, _ *env, _ *wired, _ *reconcile.Report, _ applyFlags) {}
