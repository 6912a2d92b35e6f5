// Package rehearse boots a throwaway copy of this very machine and runs the
// real `benchctl apply` in it, against a stand-in for GitHub.
//
// The copy cannot harm anything: its files are a layer over the machine's own,
// which are never written to; what not everybody may read is not in it; it
// boots into a target of its own, so that none of the machine's services runs
// twice; and its network is a loopback on which only the stand-in answers,
// which in turn reaches the distribution's mirrors and nothing else.
package rehearse
