package main

import (
	"errors"
	"net"
	"time"

	"github.com/coreos/go-systemd/v22/activation"
	"github.com/spf13/cobra"

	"github.com/SKaiNET-developers/benchctl/internal/relay"
)

// relayIdle is how long a relay that nobody uses stays: about as long as it
// takes the agent to ask GitHub for something else.
const relayIdle = 3 * time.Second

// newRelay is the agent's way to the network, on a socket that systemd listens
// on. Nobody types it.
func newRelay(e *env, _ *flags) *cobra.Command {
	return &cobra.Command{
		Use:    "relay HOST:PORT...",
		Short:  "Connect the agent to these places, and to the proxies of the environment",
		Hidden: true,
		RunE: func(cmd *cobra.Command, places []string) error {
			sockets, err := activation.Listeners()
			if err != nil || len(sockets) != 1 {
				return errors.New("cannot relay: systemd handed over no socket; benchctl-relay.socket starts this verb")
			}
			socket, ok := sockets[0].(*net.UnixListener)
			if !ok {
				return errors.New("cannot relay: the socket is of the wrong kind; see: systemctl cat benchctl-relay.socket")
			}
			return relay.Serve(cmd.Context(), socket, relayIdle, append(places, relay.Proxies(e.getenv)...))
		},
	}
}
