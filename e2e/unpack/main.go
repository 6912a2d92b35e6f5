// Command unpack installs an archive as benchctl does, in a process of its own,
// so that it can be measured beside other programs.
//
//	unpack SOURCE SHA256 DIR
package main

import (
	"context"
	"fmt"
	"os"
	"runtime/debug"

	"github.com/SKaiNET-developers/benchctl/internal/archive"
	"github.com/SKaiNET-developers/benchctl/internal/host"
)

func main() {
	debug.SetGCPercent(200) // as in benchctl's own main: it is a matter of memory
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: unpack SOURCE SHA256 DIR")
		os.Exit(1)
	}
	_, err := archive.Install(context.Background(), host.Archive{Source: os.Args[1], SHA256: os.Args[2], Dir: os.Args[3]})
	if err != nil {
		fmt.Fprintln(os.Stderr, "unpack:", err)
		os.Exit(1)
	}
}
