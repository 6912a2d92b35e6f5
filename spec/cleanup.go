package spec

// What becomes of what is left behind, where it is not an age.
const (
	Keep = "keep"
	End  = "end" // of processes alone
)

// cleanup reads what of the runner's leavings goes. What is not named is kept.
func (l *loader) cleanup(f *field) *Cleanup {
	if !f.has() {
		return nil
	}
	c := &Cleanup{
		Work:      l.age(f.get("work")),
		Diag:      l.age(f.get("diag")),
		Tools:     l.age(f.get("tools")),
		KeepTools: f.get("tools").has(),
		MinFree:   l.size(f.get("minFree")),
		Processes: f.get("processes").text(),
	}
	if f.hollow() {
		l.warn(f, "say what goes, such as work: 14d", "nothing is named here, and what is not named is kept")
	}
	return c
}
