package resources

import (
	"path"
	"slices"

	"github.com/SKaiNET-developers/benchctl/reconcile"
	"github.com/SKaiNET-developers/benchctl/spec"
)

// governorKnob is the cpufreq governor of every policy. A frequency that wanders
// with the load is the commonest cause of numbers that do not repeat, and a
// check of cpu0 alone misses the policy that drifted.
// Source: Documentation/admin-guide/pm/cpufreq.rst, "Policy Interface in sysfs".
var governorKnob = knob{
	id:      reconcile.ID{Kind: "cpufreq"},
	files:   "/sys/devices/system/cpu/cpufreq/policy*/scaling_governor",
	field:   func(p string) string { return path.Base(path.Dir(p)) },
	offered: "scaling_available_governors",
}

// paranoidKnob lets the jobs count events of their own processes: Debian and
// Ubuntu ship 3 and 4, which refuse perf_event_open(2) to everyone but root.
// At 1, a process may measure itself in user and kernel mode, and no other.
// Source: Documentation/admin-guide/sysctl/kernel.rst, "perf_event_paranoid".
var paranoidKnob = knob{
	id:     reconcile.ID{Kind: "sysctl", Name: "kernel.perf_event_paranoid"},
	files:  "/proc/sys/kernel/perf_event_paranoid",
	field:  func(string) string { return "value" },
	atMost: true,
}

// knobsOf lowers the spec to a resource for every row there is: a knob that the
// spec asks for, or one to be given back should an earlier spec have asked.
func knobsOf(s *spec.Spec) []reconcile.Resource {
	governor, paranoid := reconcile.Resource(Released{governorKnob}), reconcile.Resource(Released{paranoidKnob})
	if g := s.Governor; g != nil {
		governor = Knob{knob: governorKnob, Want: g.Name, Skip: g.IfUnsupported == "skip"}
	}
	if slices.Contains(s.Service.Needs, spec.NeedPerf) {
		paranoid = Knob{knob: paranoidKnob, Want: "1"}
	}
	return []reconcile.Resource{governor, paranoid}
}
