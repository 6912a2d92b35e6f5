package resources

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/SKaiNET-developers/benchctl/reconcile"
	"github.com/SKaiNET-developers/benchctl/spec"
)

func TestEnvWritesWhatJobsSee(t *testing.T) {
	t.Parallel()
	m, s := newLaneHost(t), laneSpec()
	s.Runner.Env = map[string]string{"HTTPS_PROXY": "http://proxy:3128", "LANG": "de_DE.UTF-8"}
	settle(t, m, env{newLaunch(s)})
	if got, want := m.Text(laneDir+"/.path"), laneJava+"/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"; got != want {
		t.Errorf(".path is %q, want %q", got, want)
	}
	want := "ACTIONS_RUNNER_HOOK_JOB_COMPLETED=/usr/local/lib/benchctl/job-completed.sh\n" +
		"ACTIONS_RUNNER_HOOK_JOB_STARTED=/usr/local/lib/benchctl/job-started.sh\n" +
		"HTTPS_PROXY=http://proxy:3128\nJAVA_HOME=" + laneJava + "\nLANG=de_DE.UTF-8\n"
	if got := m.Text(laneDir + "/.env"); got != want {
		t.Errorf(".env is %q, want %q", got, want)
	}
}

func TestEnvKeepsThePathOfTheSpecBehindTheJDK(t *testing.T) {
	t.Parallel()
	m, s := newLaneHost(t), laneSpec()
	s.Runner.Env = map[string]string{"PATH": "/opt/tools:/usr/bin"}
	settle(t, m, env{newLaunch(s)})
	if got, want := m.Text(laneDir+"/.path"), laneJava+"/bin:/opt/tools:/usr/bin\n"; got != want {
		t.Errorf(".path is %q, want %q", got, want)
	}
	if _, there := variables(m.Text(laneDir + "/.env"))["PATH"]; there {
		t.Error(".env has a PATH beside .path")
	}
}

func TestEnvNamesTheVariableThatDiffers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, field, have, want string }{
		"changed": {"JAVA_HOME=/opt/other\nLANG=C.UTF-8\n", ".env JAVA_HOME", "/opt/other", laneJava},
		"added":   {"JAVA_HOME=" + laneJava + "\nLANG=C.UTF-8\nLD_PRELOAD=/tmp/x\x1b[2J.so\n", ".env LD_PRELOAD", `/tmp/x\x1b[2J.so`, "absent"},
		"lost":    {"LANG=C.UTF-8\n", ".env JAVA_HOME", "absent", laneJava},
		"twice":   {"JAVA_HOME=" + laneJava + "\nJAVA_HOME=" + laneJava + "\nLANG=C.UTF-8\n", ".env", "other lines", "exactly the spec's"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newLaneHost(t)
			e := env{newLaunch(laneSpec())}
			settle(t, m, e)
			hook := "ACTIONS_RUNNER_HOOK_JOB_COMPLETED=/usr/local/lib/benchctl/job-completed.sh\nACTIONS_RUNNER_HOOK_JOB_STARTED=/usr/local/lib/benchctl/job-started.sh\n"
			m.WriteFile(laneDir+"/.env", hook+c.text)
			changes := diffOf(t, m, e)
			wantOnly(t, changes, c.field, c.have, c.want)
			if len(changes) > 0 && (len(changes[0].Effects) != 1 || changes[0].Effects[0] != reconcile.Restart) {
				t.Errorf("effects %v, want restart: the Listener reads .env only when it starts", changes[0].Effects)
			}
			settle(t, m, e)
		})
	}
}

func TestEnvReplacesWhateverStandsInItsPlace(t *testing.T) {
	t.Parallel()
	for name, put := range map[string]func(path string) error{
		"a link":      func(p string) error { return os.Symlink("/etc/passwd", p) },
		"a directory": func(p string) error { return os.MkdirAll(p+"/full", 0o755) },
		"a directory where the new file is made": func(p string) error {
			return os.MkdirAll(filepath.Dir(p)+"/..path.benchctl-new/full", 0o755)
		},
		"nothing":    func(string) error { return nil },
		"loose mode": func(p string) error { return errors.Join(os.WriteFile(p, nil, 0o666), os.Chmod(p, 0o666)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newLaneHost(t)
			if err := put(m.Path(laneDir + "/.path")); err != nil {
				t.Fatal(err)
			}
			settle(t, m, env{newLaunch(laneSpec())})
			if got := m.Text("/etc/passwd"); got != "root:x:0:0:root:/root:/bin/bash\n" {
				t.Errorf("/etc/passwd is now %q", got)
			}
		})
	}
}

func TestEnvWaitsForTheJDK(t *testing.T) {
	t.Parallel()
	m, s := newLaneHost(t), laneSpec()
	s.JDK = &spec.JDK{Version: "21", Repository: &spec.AptRepository{Package: "zulu21-jdk"}}
	e := env{newLaunch(s)}
	if changes := diffOf(t, m, e); len(changes) == 0 {
		t.Error("a host without the JDK is in step")
	}
	if err := e.Apply(t.Context(), m); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("apply without the JDK: %v", err)
	}
	if m.Text(laneDir+"/.path") != "" {
		t.Error("a placeholder was written into .path")
	}
}
