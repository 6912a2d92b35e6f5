package spec

import "strconv"

// gate reads what is looked at around a job, and what the job gets for it.
func (l *loader) gate(f *field) Gate {
	limit := f.get("maxLoad")
	most, err := strconv.ParseFloat(limit.text(), 64)
	g := Gate{Policy: f.get("policy").text(), MaxLoad: most}
	switch {
	case !limit.has():
	case err != nil || !only(limit.text(), digits+"."):
		l.fault(limit, "write how many may be busy, such as 0.5", "%s is no number of CPUs", quote(limit.text()))
	case most == 0:
		l.fault(limit, "allow a little, such as 0.5", "no host is as quiet as %s", quote(limit.text()))
	case g.Policy == "off":
		l.warn(limit, "write policy: warn, or remove it", "nobody looks at the load where the gate is off")
	}
	return g
}
