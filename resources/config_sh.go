package resources

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/github/actions"
	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/spec"
)

// configTimeout bounds a run of config.sh, which tries three times by itself.
const configTimeout = 5 * time.Minute

// configure runs config.sh as the runner's user. The token is in the
// environment of this one child (ACTIONS_RUNNER_INPUT_TOKEN, which the runner
// takes out of its own at once), never on a command line.
func (c *Config) configure(ctx context.Context, h host.Host, account *host.Account, token actions.Secret, rec record, replace bool) error {
	args := []string{"--unattended", "--url", c.URL.Text, "--name", c.Name, "--work", c.WorkDir}
	if custom := append(c.customLabels(), rec.Labels...); len(custom) > 0 {
		args = append(args, "--labels", strings.Join(custom, ","))
	}
	if rec.Group != "" && c.URL.Scope != spec.Repository {
		args = append(args, "--runnergroup", rec.Group)
	}
	for _, flag := range []struct {
		name string
		set  bool
	}{{"--disableupdate", !c.AutoUpdate}, {"--ephemeral", c.Ephemeral}, {"--replace", replace}} {
		if flag.set {
			args = append(args, flag.name)
		}
	}
	cmd := c.command(account, args...)
	cmd.Env = append(cmd.Env, "ACTIONS_RUNNER_INPUT_TOKEN="+token.Reveal())
	ctx, cancel := context.WithTimeout(ctx, configTimeout)
	defer cancel()
	out, err := h.Run(ctx, cmd)
	if err == nil {
		return nil
	}
	return c.failed(ctx, scrub(out, token), rec.Group, err)
}

func (c *Config) command(account *host.Account, args ...string) host.Command {
	return host.Command{
		Argv: append([]string{c.InstallDir + "/config.sh"}, args...),
		Dir:  c.InstallDir, // config.sh looks at ./bin before it goes anywhere
		User: account,
		Env:  append([]string{"HOME=" + account.Home, "USER=" + account.Name, "LANG=C.UTF-8"}, c.Env...),
	}
}

// scrub is a command's output without the token. The error that came with it
// holds the raw output and must not be kept.
func scrub(out host.Output, token actions.Secret) string {
	return strings.ReplaceAll(string(out.Stdout)+"\n"+string(out.Stderr), token.Reveal(), token.String())
}

// A configFault is a way in which config.sh fails.
type configFault struct {
	says *regexp.Regexp
	text string
	// early: config.sh ends so before GitHub has registered anything.
	early bool
}

// An earlyError is a registration that failed before GitHub registered
// anything: what there was before is as good as it was.
type earlyError struct{ error }

// configFaults are matched in order, and loosely: the runner's wording changes.
// NAME, URL, GROUP and PAGE stand for what they say.
var configFaults = []configFault{
	{regexp.MustCompile(`(?i)already configured`),
		"the runner says that it is already configured; run again, and should it stay so, run `config.sh remove --local` as its user", false},
	{regexp.MustCompile(`(?i)runner exists with the same name`),
		"GitHub has a runner called NAME already, and nothing shows that it is this host's; give runner.name another value, delete that runner on PAGE, or replace it with --take-over", false},
	{regexp.MustCompile(`(?i)could not find any self-hosted runner group`),
		"there is no runner group GROUP at URL; correct runner.group or make the group", false},
	{regexp.MustCompile(`(?i)NotFound from 'POST [^']*runner-registration|\b404 \(Not Found\)`),
		"GitHub does not accept the registration token: it is wrong or older than an hour, or URL does not exist; get a new one from PAGE/new, or set GITHUB_TOKEN and have it made", true},
	{regexp.MustCompile(`(?i)\b40[13] \(|Unauthorized from|Forbidden from`),
		"GitHub refuses the registration token; get a new one from PAGE/new", true},
	{regexp.MustCompile(`(?i)version.*(deprecated|no longer supported|not supported)`),
		"GitHub no longer registers this version of the runner; set runner.version to a newer one", false},
	{regexp.MustCompile(`(?i)libicu|dependencies is missing`),
		"libraries that .NET needs are missing; run `benchctl apply --only packages`", true},
	{regexp.MustCompile(`(?i)must not run with sudo`),
		"config.sh was run as root; give user another name than root's", true},
	{regexp.MustCompile(`(?i)no space left`),
		"the disk is full; make room and run again", false},
	{regexp.MustCompile(`(?i)SSL connection could not be established|certificate`),
		"the runner does not trust GitHub's certificate; check this host's clock and ca-certificates", true},
	{regexp.MustCompile(`(?i)name or service not known|temporary failure in name resolution|resource temporarily unavailable|connection refused|network is unreachable|timed? ?out`),
		"the runner cannot reach GitHub; check the network, and the proxy in runner.env", true},
}

// failed turns the end of config.sh into a sentence.
func (c *Config) failed(ctx context.Context, said, group string, err error) error {
	what := fmt.Sprintf("cannot register %s at %s: ", c.Name, c.URL.Text)
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("%sconfig.sh did not end within %v; check the network and run again", what, configTimeout)
	}
	if ctx.Err() != nil {
		return fmt.Errorf("%sit was interrupted (%w); run again", what, ctx.Err())
	}
	var status *host.CommandError
	if !errors.As(err, &status) {
		return fmt.Errorf("%s%w; run `benchctl apply --only tarball`", what, err)
	}
	for _, f := range configFaults {
		if f.says.MatchString(said) {
			words := strings.NewReplacer("NAME", c.Name, "URL", c.URL.Text, "GROUP", group, "PAGE", c.page())
			err := errors.New(what + words.Replace(f.text))
			if f.early {
				return earlyError{err}
			}
			return err
		}
	}
	last := plain(host.LastLine([]byte(said)))
	if last == "" {
		last = "nothing"
	}
	return fmt.Errorf("%sconfig.sh ended with status %d and said: %s; see %s/_diag", what, status.Status, last, c.InstallDir)
}
