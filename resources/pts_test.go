package resources

import (
	"encoding/xml"
	"os"
	"strings"
	"testing"

	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/internal/host/hosttest"
	"github.com/SKaiNET-developers/benchctl/spec"
)

// ptsWritten is the shape that PTS 10.8 gives user-config.xml, shortened: its
// defaults, which upload, ask and report.
const ptsWritten = `<?xml version="1.0"?>
<!--Phoronix Test Suite v10.8.6-->
<?xml-stylesheet type="text/xsl" href="xsl/pts-user-config-viewer.xsl"?>
<PhoronixTestSuite>
  <Options>
    <OpenBenchmarking>
      <AnonymousUsageReporting>TRUE</AnonymousUsageReporting>
      <IndexCacheTTL>3</IndexCacheTTL>
    </OpenBenchmarking>
    <General>
      <DefaultBrowser></DefaultBrowser>
      <UsePhodeviCache>TRUE</UsePhodeviCache>
    </General>
    <TestResultValidation>
      <DynamicRunCount>TRUE</DynamicRunCount>
      <LimitDynamicToTestLength>20</LimitDynamicToTestLength>
      <StandardDeviationThreshold>3.50</StandardDeviationThreshold>
    </TestResultValidation>
    <BatchMode>
      <SaveResults>TRUE</SaveResults>
      <OpenBrowser>FALSE</OpenBrowser>
      <UploadResults>TRUE</UploadResults>
      <PromptForTestIdentifier/>
      <Configured>FALSE</Configured>
    </BatchMode>
    <Networking>
      <ProxyPassword>a &amp; b</ProxyPassword>
    </Networking>
  </Options>
</PhoronixTestSuite>
`

// settled reports whether every setting has its value.
func settled(c ptsConfig) bool {
	for i, have := range c.values() {
		if have != ptsSettings[i].value {
			return false
		}
	}
	return true
}

func TestSettingsAreEditedInPlace(t *testing.T) {
	t.Parallel()
	got := string(ptsConfig(ptsWritten).with(ptsSettings))
	if !settled(ptsConfig(got)) {
		t.Errorf("settings are %v in:\n%s", ptsConfig(got).values(), got)
	}
	// Lines that benchctl does not own are there, byte for byte and in order.
	rest := got
	for line := range strings.Lines(ptsWritten) {
		owned := false
		for _, s := range ptsSettings {
			owned = owned || strings.Contains(line, "<"+s.path[strings.IndexByte(s.path, '/')+1:])
		}
		if owned {
			continue
		}
		var found bool
		if _, rest, found = strings.Cut(rest, line); !found {
			t.Errorf("the line %q is gone or moved in:\n%s", line, got)
		}
	}
	if again := string(ptsConfig(got).with(ptsSettings)); again != got {
		t.Errorf("a second edit changes it to:\n%s", again)
	}
}

func TestSettingsOfAnything(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"nothing":        "",
		"not XML":        "<<<<",
		"another root":   "<html><body/></html>",
		"empty options":  "<PhoronixTestSuite><Options/></PhoronixTestSuite>",
		"one line":       "<PhoronixTestSuite><Options><BatchMode><UploadResults>TRUE</UploadResults></BatchMode></Options></PhoronixTestSuite>",
		"twice":          "<PhoronixTestSuite><Options><BatchMode><Configured>TRUE</Configured><Configured>FALSE</Configured></BatchMode></Options></PhoronixTestSuite>",
		"latin-1":        "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>\n<PhoronixTestSuite><Options></Options></PhoronixTestSuite>",
		"very deep":      strings.Repeat("<a>", 5000) + strings.Repeat("</a>", 5000),
		"very long":      "<PhoronixTestSuite><Options>" + strings.Repeat("<a/>", 50_000) + "</Options></PhoronixTestSuite>",
		"a nested value": "<PhoronixTestSuite><Options><BatchMode><Configured><b>TRUE</b></Configured></BatchMode></Options></PhoronixTestSuite>",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if settled(ptsConfig(text)) {
				t.Error("it passes as settled")
			}
			if got := ptsConfig(text).with(ptsSettings); !settled(ptsConfig(got)) {
				t.Errorf("not settled:\n%.2000s", got)
			}
		})
	}
}

func FuzzSettings(f *testing.F) {
	f.Add([]byte(ptsWritten))
	f.Add([]byte(ptsEmpty))
	f.Add([]byte("<PhoronixTestSuite><Options/></PhoronixTestSuite>"))
	f.Fuzz(func(t *testing.T, text []byte) {
		got := ptsConfig(text).with(ptsSettings)
		if !settled(got) {
			t.Errorf("not settled:\n%s", got)
		}
		if err := xml.Unmarshal(got, new(struct{})); err != nil {
			t.Errorf("no longer XML: %v\n%s", err, got)
		}
	})
}

// ptsHost is a host with PTS's modules for PHP and a runner's user.
func ptsHost(t *testing.T, packages ...string) (*hosttest.Machine, PTS) {
	t.Helper()
	m := debianHost(t, "debian", "12", append(packages, ptsExtras...)...)
	m.WriteFile("/etc/passwd", "bench:x:990:990::/home/bench:/usr/sbin/nologin\n")
	m.WriteFile("/etc/group", "bench:x:990:\n")
	m.WriteFile("/home/bench/"+ptsDir+"/user-config.xml", string(ptsConfig(ptsWritten).with(ptsSettings)))
	return m, PTS{&spec.PTS{Version: "10.8.6", Archive: "/srv/pts.deb"}, "bench", NewApt()}
}

func TestPTSVersion(t *testing.T) {
	t.Parallel()
	for version, diff := range map[string]string{
		"10.8.6":   "",
		"10.8.6-1": "",
		"10.8.5":   "version: 10.8.5 -> 10.8.6",
		"10.8.60":  "version: 10.8.60 -> 10.8.6",
	} {
		m, p := ptsHost(t)
		m.WriteFile(dpkgStatusFile, m.Text(dpkgStatusFile)+stanza(ptsPackage, "install ok installed", "all", version))
		changes, err := p.Diff(t.Context(), m)
		if say(changes) != diff || err != nil {
			t.Errorf("%s: diff says %q, %v", version, say(changes), err)
		}
	}
	m, p := ptsHost(t)
	if changes, _ := p.Diff(t.Context(), m); say(changes) != "version: absent -> 10.8.6" {
		t.Errorf("purged: %q", say(changes))
	}
}

func TestPTSSettingsAreHostile(t *testing.T) {
	t.Parallel()
	file := "/home/bench/" + ptsDir + "/user-config.xml"
	want := "user-config.xml: not a plain file -> batch mode, no uploads, no prompts"
	for _, tt := range []struct {
		name  string
		spoil func(m *hosttest.Machine) error
		diff  string
	}{
		{"untouched", func(*hosttest.Machine) error { return nil }, ""},
		{"one value", func(m *hosttest.Machine) error {
			m.WriteFile(file, strings.Replace(m.Text(file), "<UploadResults>FALSE", "<UploadResults>TRUE", 1))
			return nil
		}, "BatchMode/UploadResults: TRUE -> FALSE"},
		{"a link to a good file elsewhere", func(m *hosttest.Machine) error {
			m.WriteFile("/srv/good.xml", m.Text(file))
			os.Remove(m.Path(file))
			return os.Symlink(m.Path("/srv/good.xml"), m.Path(file))
		}, want},
		{"a directory", func(m *hosttest.Machine) error {
			os.Remove(m.Path(file))
			return os.Mkdir(m.Path(file), 0o755)
		}, want},
		{"a file for a directory", func(m *hosttest.Machine) error {
			os.RemoveAll(m.Path("/home/bench/" + ptsDir))
			return os.WriteFile(m.Path("/home/bench/"+ptsDir), nil, 0o644)
		}, want},
		{"gone", func(m *hosttest.Machine) error { return os.Remove(m.Path(file)) },
			"user-config.xml: absent -> batch mode, no uploads, no prompts"},
		{"noise", func(m *hosttest.Machine) error { return os.WriteFile(m.Path(file), []byte("\x00\x01"), 0o644) },
			"user-config.xml: not one that PTS wrote -> batch mode, no uploads, no prompts"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m, p := ptsHost(t)
			m.WriteFile(dpkgStatusFile, m.Text(dpkgStatusFile)+stanza(ptsPackage, "install ok installed", "all", "10.8.6"))
			if err := tt.spoil(m); err != nil {
				t.Fatal(err)
			}
			changes, err := p.Diff(t.Context(), m)
			if say(changes) != tt.diff || err != nil {
				t.Errorf("diff says %q, %v; want %q", say(changes), err, tt.diff)
			}
			for _, c := range changes {
				if len(c.Effects) > 0 {
					t.Errorf("%s would stop the service", c.Field)
				}
			}
		})
	}
}

// Settings are written by the user's own hand: root never opens a path that the
// user could swap.
func TestPTSSettingsAreWrittenAsTheUser(t *testing.T) {
	t.Parallel()
	m, p := ptsHost(t)
	m.WriteFile(dpkgStatusFile, m.Text(dpkgStatusFile)+stanza(ptsPackage, "install ok installed", "all", "10.8.6"))
	m.WriteFile("/home/bench/"+ptsDir+"/user-config.xml", ptsWritten)
	lock(t, m) // apt is busy, and that is no matter here
	p.apt.lockWait = 0
	var ran []host.Command
	m.OnRun = func(cmd host.Command) (host.Output, error) {
		ran = append(ran, cmd)
		return host.Output{}, nil
	}
	if err := p.Apply(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if len(ran) != 1 || ran[0].User == nil || ran[0].User.UID != 990 || !settled(ran[0].Stdin) {
		t.Fatalf("ran %+v", ran)
	}
	if strings.Join(m.Writes, " ") != "run /bin/sh" {
		t.Errorf("changes by root: %q", m.Writes)
	}
}

func TestPTSNeedsItsDigest(t *testing.T) {
	t.Parallel()
	deb := "!<arch>\ndebian-binary   1  0  0  100644  4  `\n2.0\n"
	for _, tt := range []struct{ name, text, sha256, want string }{
		{"nobody vouches for it", deb, "", "\n    sha256: " + hexDigest([]byte(deb))},
		{"another digest", deb, strings.Repeat("1", 64), "it has sha256 " + hexDigest([]byte(deb)) + " and not 1111"},
		{"a page that says no", "<html>404</html>", "", "it is no Debian package"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m, p := ptsHost(t)
			m.WriteFile("/srv/pts.deb", tt.text)
			p.pts.SHA256 = tt.sha256
			err := p.Apply(t.Context(), m)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
			if len(m.Writes) > 0 {
				t.Errorf("something was touched: %q", m.Writes)
			}
		})
	}
}

func TestPTSFromAnotherPackageIsRefused(t *testing.T) {
	t.Parallel()
	needRootForOwners(t)
	m, p := ptsHost(t)
	m.WriteFile("/srv/pts.deb", "!<arch>\n")
	p.apt.Trust = true
	m.OnRun = script{"-s": {"Inst phoronix-test-suite (10.8.4 local-deb [all])\n"}}.run
	err := p.Apply(t.Context(), m)
	if err == nil || !strings.Contains(err.Error(), "is another package or version") || strings.Join(verbs(m), " ") != "simulate" {
		t.Errorf("asked apt to %v; error %v", verbs(m), err)
	}
	if m.Text(ptsStaged) != "" {
		t.Error("the staged file was left")
	}
}
