package lab

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
)

// cpufreqDir is where the kernel shows its frequency policies.
const cpufreqDir = "/sys/devices/system/cpu/cpufreq"

// Cpufreq is a make-believe tree of frequency policies: plain files where the
// kernel has its own, so a value that the kernel would refuse is taken.
// As with the kernel, a reboot brings back what it was.
type Cpufreq struct {
	Policies  int    // one CPU each; 2 when 0
	Driver    string // acpi-cpufreq when empty
	Governors string // those available; "performance powersave schedutil" when empty
	Governor  string // the one in force after a boot; powersave when empty
}

// resetCpufreq writes the tree as it is after a boot.
func (m *Machine) resetCpufreq() error {
	if m.opt.Cpufreq == nil {
		return nil
	}
	for i := range cmp.Or(m.opt.Cpufreq.Policies, 2) {
		dir := filepath.Join(m.cell.path(m.cell.stage), "cpufreq", fmt.Sprintf("policy%d", i))
		if err := m.opt.Cpufreq.write(dir, i); err != nil {
			return err
		}
	}
	return nil
}

// write makes the files of the policy of one CPU, with the modes of sysfs.
func (c *Cpufreq) write(dir string, cpu int) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for name, value := range map[string]string{
		"affected_cpus":               fmt.Sprint(cpu),
		"related_cpus":                fmt.Sprint(cpu),
		"cpuinfo_min_freq":            "800000",
		"cpuinfo_max_freq":            "3000000",
		"scaling_available_governors": cmp.Or(c.Governors, "performance powersave schedutil"),
		"scaling_cur_freq":            "800000",
		"scaling_driver":              cmp.Or(c.Driver, "acpi-cpufreq"),
		"scaling_governor":            cmp.Or(c.Governor, "powersave"),
		"scaling_min_freq":            "800000",
		"scaling_max_freq":            "3000000",
	} {
		mode := os.FileMode(0o444)
		if name == "scaling_governor" || name == "scaling_min_freq" || name == "scaling_max_freq" {
			mode = 0o644
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(value+"\n"), mode); err != nil {
			return err
		}
	}
	return nil
}
