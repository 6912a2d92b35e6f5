package resources

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/SKaiNET-developers/benchctl/internal/host"
)

// An aptFault is a failure of apt or dpkg in words: what it printed, what that
// means, and what to do about it.
type aptFault struct {
	printed *regexp.Regexp
	means   string // $1 is the first group of printed
	next    string
	// stale is set where newer lists may help.
	stale bool
}

// aptFaults are tried in order: the cause stands before its consequences.
// The texts are apt's in the C locale (apt 2.4 to 3.0: apt-pkg/, methods/) and
// dpkg's.
var aptFaults = []aptFault{
	{regexp.MustCompile(`No space left on device|You don't have enough free space in (\S+?)\.?\s`), "the disk is full", "make room (apt-get clean helps) and apply again", false},
	{regexp.MustCompile(`Could not get lock (\S+?)\.?\s`), "another program holds $1", "let it finish and apply again", false},
	{regexp.MustCompile(`Unable to locate package (\S+)`), "no source of apt has a package called $1", "check /etc/apt/sources.list.d, or install it by hand", true},
	{regexp.MustCompile(`Package '(\S+)' has no installation candidate`), "no source of apt has $1 to install", "check /etc/apt/sources.list.d, or install it by hand", true},
	{regexp.MustCompile(`Hash Sum mismatch|File has unexpected size|Hashes of expected file`), "a download is not what the mirror's signed lists say", "the mirror is being updated or something on the way alters files: apply again in a while, or use another mirror", true},
	{regexp.MustCompile(`(?:Could not connect to|Unable to connect to|Cannot initiate the connection to|Connection failed to) (\S+)`), "$1 cannot be reached", "check the network, or the mirror in /etc/apt, and apply again", false},
	{regexp.MustCompile(`Temporary failure resolving '([^']+)'|Could not resolve '([^']+)'`), "the name $1 cannot be resolved", "check the network and DNS, and apply again", false},
	{regexp.MustCompile(`Network is unreachable|Connection timed out`), "the network cannot be reached", "check it and apply again", false},
	{regexp.MustCompile(`GPG error: |OpenPGP signature verification failed|No good signature from required signer|NO_PUBKEY |BADSIG `), "a repository is not signed by the key that was pinned for it", "compare the fingerprint in the spec with what the vendor publishes", false},
	{regexp.MustCompile(`The repository '([^']+)' is not signed|does not have a Release file`), "the repository $1 is not signed or is not there", "check its address, suite and key", false},
	{regexp.MustCompile(`There were unauthenticated packages`), "the packages come from a repository whose signature could not be checked", "check the repository's key and fingerprint", false},
	{regexp.MustCompile(`404\s+Not Found`), "the mirror no longer has a file that apt's lists name", "apply again after apt-get update", true},
	{regexp.MustCompile(`Failed to fetch (\S+)`), "$1 cannot be downloaded", "check the network, or the mirror in /etc/apt, and apply again", false},
	{regexp.MustCompile(`unmet dependencies|held broken packages`), "its dependencies cannot be met", "see what apt-get -s install says; a held package or a foreign source is the usual cause", true},
	{regexp.MustCompile(`Packages need to be removed but remove is disabled`), "apt would remove packages", "look at apt-get -s install, and allow it with --allow-upgrades", false},
	{regexp.MustCompile(`dpkg was interrupted`), "dpkg was interrupted", "apply again", false},
	{regexp.MustCompile(`dpkg: error processing (?:package|archive) (\S+)`), "the package $1 could not be set up", "its own script says why: see the lines above, mend it, and apply again", false},
}

// An aptFailure is a failure of apt that was understood.
type aptFailure struct {
	fault   *aptFault
	meaning string
	detail  string // the line that apt printed
	doing   string
}

func (f *aptFailure) Error() string {
	return fmt.Sprintf("cannot %s: %s (%s); %s", f.doing, f.meaning, f.detail, f.fault.next)
}

// aptError turns the failure of a command into a sentence. argv says what was
// being done.
func aptError(argv []string, err error) error {
	var failed *host.CommandError
	if !errors.As(err, &failed) {
		return fmt.Errorf("cannot %s: %w", aptDoing(argv), err)
	}
	if failure := understand(argv, failed.Output); failure != nil {
		return failure
	}
	if failed.Status < 0 {
		return fmt.Errorf("cannot %s: %s was interrupted; apply again", aptDoing(argv), failed.Argv[0])
	}
	return fmt.Errorf("cannot %s: %w; see /var/log/apt/term.log, mend it, and apply again", aptDoing(argv), err)
}

// understand looks for the first fault that a command printed, or returns nil.
func understand(argv []string, out host.Output) *aptFailure {
	said := string(out.Stdout) + "\n" + string(out.Stderr)
	for i := range aptFaults {
		fault := &aptFaults[i]
		groups := fault.printed.FindStringSubmatch(said)
		if groups == nil {
			continue
		}
		at := fault.printed.FindStringIndex(said)[0]
		return &aptFailure{fault, expand(fault.means, groups), lineAt(said, at), aptDoing(argv)}
	}
	return nil
}

// staleLists reports whether an error may vanish with newer package lists.
func staleLists(err error) bool {
	var failure *aptFailure
	return errors.As(err, &failure) && failure.fault.stale
}

// expand puts the first group that matched in the place of $1.
func expand(text string, groups []string) string {
	for _, g := range groups[1:] {
		if g != "" {
			return strings.ReplaceAll(text, "$1", strings.Trim(g, "'\"()"))
		}
	}
	return strings.ReplaceAll(text, "$1", "it")
}

// lineAt is the line of text that offset at is in.
func lineAt(text string, at int) string {
	begin := strings.LastIndexByte(text[:at], '\n') + 1
	line, _, _ := strings.Cut(text[begin:], "\n")
	return strings.TrimSpace(line)
}

// aptDoing says in words what a command line of apt-get or dpkg is for.
func aptDoing(argv []string) string {
	for i, arg := range argv {
		switch arg {
		case "update":
			return "fetch the package lists"
		case "--configure":
			return "finish half-configured packages"
		case "install":
			return "install " + strings.Join(packagesIn(argv[i+1:]), ", ")
		}
	}
	return "run " + argv[0]
}

func packagesIn(args []string) (names []string) {
	for _, arg := range args {
		if !strings.HasPrefix(arg, "-") {
			names = append(names, arg)
		}
	}
	if names == nil {
		names = []string{"what is missing"}
	}
	return names
}
