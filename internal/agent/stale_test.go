package agent

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestStale(t *testing.T) {
	t.Parallel()
	const unit = "[Service]\nEnvironment=BENCHCTL_AGENT_REVISION=aa11\nExecStart=/usr/local/bin/benchctl agent\n"
	for name, tt := range map[string]struct {
		unit, revision string // at the start
		change         func(dir string) error
		stale          bool
	}{
		"nothing":       {unit, "aa11", func(string) error { return nil }, false},
		"a new binary":  {unit, "aa11", func(dir string) error { return swap(dir, "benchctl", "new") }, true},
		"no binary":     {unit, "aa11", func(dir string) error { return os.Remove(filepath.Join(dir, "benchctl")) }, false},
		"the same unit": {unit, "aa11", func(dir string) error { return swap(dir, "unit", unit) }, false},
		"a new unit":    {unit, "aa11", func(dir string) error { return swap(dir, "unit", "Environment=A=b BENCHCTL_AGENT_REVISION=bb22\n") }, true},
		"no unit":       {unit, "aa11", func(dir string) error { return os.Remove(filepath.Join(dir, "unit")) }, false},
		"no revision":   {unit, "aa11", func(dir string) error { return swap(dir, "unit", "# Environment=BENCHCTL_AGENT_REVISION=bb22\n") }, false},
		"no notes":      {unit, "aa11", func(dir string) error { return os.Remove(filepath.Join(dir, "notes")) }, true},
		"by hand, too":  {unit, "", func(dir string) error { return os.Remove(filepath.Join(dir, "notes")) }, false},
		"by hand":       {unit, "", func(dir string) error { return swap(dir, "unit", "Environment=BENCHCTL_AGENT_REVISION=bb22\n") }, false},
		// systemd was not told of a change, so ending would only start the old one again and again.
		"an unread unit":          {unit, "0000", func(string) error { return nil }, false},
		"a new unit after unread": {unit, "0000", func(dir string) error { return swap(dir, "unit", "Environment=BENCHCTL_AGENT_REVISION=bb22\n") }, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			binary, file, running := filepath.Join(dir, "benchctl"), filepath.Join(dir, "unit"), filepath.Join(dir, "exe")
			err := errors.Join(os.WriteFile(binary, []byte("old"), 0o755), os.Link(binary, running), os.WriteFile(file, []byte(tt.unit), 0o644), os.Mkdir(dir+"/notes", 0o700))
			if err != nil {
				t.Fatal(err)
			}
			s := NewSelf(binary, file, tt.revision, dir+"/notes", dir+"/never-there")
			s.running = running
			if why := s.Stale(); why != "" {
				t.Errorf("stale from the start: %s", why)
			}
			if err := tt.change(dir); err != nil {
				t.Fatal(err)
			}
			if why := s.Stale(); (why != "") != tt.stale {
				t.Errorf("says %q", why)
			}
		})
	}
}

// swap puts a file in the place of another, as an installation does.
func swap(dir, name, text string) error {
	fresh := filepath.Join(dir, "fresh")
	return errors.Join(os.WriteFile(fresh, []byte(text), 0o755), os.Rename(fresh, filepath.Join(dir, name)))
}

// This very process is the one that was started.
func TestThisProcessIsNotStale(t *testing.T) {
	t.Parallel()
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if why := NewSelf(binary, "/nowhere", "").Stale(); why != "" {
		t.Error(why)
	}
	if why := NewSelf("/bin/sh", "/nowhere", "").Stale(); why != "/bin/sh is another one now" {
		t.Error(why)
	}
}
