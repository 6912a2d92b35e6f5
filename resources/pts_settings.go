package resources

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/reconcile"
)

// A ptsSetting is an element of user-config.xml that benchctl owns.
type ptsSetting struct{ path, value string }

// ptsSettings make a batch run by itself, keep to itself, and repeat a test by
// one rule. PTS fills in what else the file should have, and rewrites all of it
// when it likes: elements are compared, never bytes.
//
// The threshold is the coefficient of variation, in percent, above which PTS
// adds runs to a test. Its own sources have three defaults for it (3.5 in the
// documentation, 2.5 in the template, 3.0 in the code), so that the one in force
// depends on how the file came to be; it is pinned to the template's.
var ptsSettings = []ptsSetting{
	{"OpenBenchmarking/AnonymousUsageReporting", "FALSE"},
	{"OpenBenchmarking/AllowResultUploadsToOpenBenchmarking", "FALSE"},
	{"OpenBenchmarking/AlwaysUploadSystemLogs", "FALSE"},
	{"Installation/PromptForDownloadMirror", "FALSE"},
	{"Testing/AlwaysUploadResultsToOpenBenchmarking", "FALSE"},
	{"TestResultValidation/DynamicRunCount", "TRUE"},
	{"TestResultValidation/StandardDeviationThreshold", "2.5"},
	{"BatchMode/SaveResults", "TRUE"},
	{"BatchMode/OpenBrowser", "FALSE"},
	{"BatchMode/UploadResults", "FALSE"},
	{"BatchMode/PromptForTestIdentifier", "FALSE"},
	{"BatchMode/PromptForTestDescription", "FALSE"},
	{"BatchMode/PromptSaveName", "FALSE"},
	{"BatchMode/RunAllTestCombinations", "TRUE"}, // FALSE would ask which
	{"BatchMode/Configured", "TRUE"},
}

// ptsDir is where PTS keeps everything of a user, below their home.
const ptsDir = ".phoronix-test-suite"

// diffSettings compares the elements of user-config.xml that matter. The file
// is the user's, and a job may have made anything of it.
func (p PTS) diffSettings(r host.Reader) ([]reconcile.Change, error) {
	text, missing, err := p.settings(r)
	if err != nil {
		return nil, err
	}
	if missing != "" {
		return []reconcile.Change{{Field: "user-config.xml", Have: missing, Want: "batch mode, no uploads, no prompts"}}, nil
	}
	var changes []reconcile.Change
	for i, have := range text.values() {
		if s := ptsSettings[i]; have != s.value {
			changes = append(changes, reconcile.Change{Field: s.path, Have: have, Want: s.value})
		}
	}
	return changes, nil
}

// settings reads the file. Where there is none, or something that is no such
// file, missing says so.
func (p PTS) settings(r host.Reader) (text ptsConfig, missing string, err error) {
	account, err := r.Account(p.user)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, "absent", nil
	}
	if err != nil {
		return nil, "", fmt.Errorf("cannot see the settings of the Phoronix Test Suite: %w", err)
	}
	text, err = r.ReadBelow(account.Home, ptsDir+"/user-config.xml")
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, "absent", nil
	case errors.Is(err, host.ErrHostile), isNotDirectory(err):
		return nil, "not a plain file", nil
	case err != nil:
		return nil, "", fmt.Errorf("cannot read the settings of the Phoronix Test Suite: %w", err)
	case !text.sound():
		return nil, "not one that PTS wrote", nil
	}
	return text, "", nil
}

// writeAsUser replaces user-config.xml with what comes on standard input. A
// link or anything else in the way is the user's own and goes.
const writeAsUser = `set -eu
umask 022
dir=$HOME/.phoronix-test-suite
if [ -L "$dir" ] || [ ! -d "$dir" ]; then rm -f -- "$dir"; mkdir -- "$dir"; fi
file=$dir/user-config.xml
if [ -d "$file" ] && [ ! -L "$file" ]; then rm -rf -- "$file"; fi
new=$(mktemp -- "$dir/.user-config.XXXXXX")
cat >"$new"
chmod 644 "$new"
mv -fT -- "$new" "$file"
`

// applySettings edits the file as the user, never as root: whatever lies in
// that directory then, the write reaches only what the user could reach anyway.
func (p PTS) applySettings(ctx context.Context, h host.Host) error {
	changes, err := p.diffSettings(h)
	if err != nil || len(changes) == 0 {
		return err
	}
	text, _, err := p.settings(h)
	if err != nil {
		return err
	}
	account, err := h.Account(p.user)
	if err != nil {
		return fmt.Errorf("cannot write the settings of the Phoronix Test Suite: %w", err)
	}
	_, err = h.Run(ctx, host.Command{
		Argv:  []string{"/bin/sh", "-c", writeAsUser},
		Env:   []string{"PATH=/usr/bin:/bin", "HOME=" + account.Home, "LC_ALL=C.UTF-8"},
		Dir:   "/",
		User:  &account,
		Stdin: text.with(ptsSettings),
	})
	if err != nil {
		return fmt.Errorf("cannot write %s/%s/user-config.xml as %s: %w; let %[1]s/%[2]s belong to %[3]s and apply again", account.Home, ptsDir, p.user, err)
	}
	return nil
}
