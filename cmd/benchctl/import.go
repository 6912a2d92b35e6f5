package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/SKaiNET-developers/benchctl/internal/adopt"
	"github.com/SKaiNET-developers/benchctl/internal/github"
	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/internal/relay"
	"github.com/SKaiNET-developers/benchctl/resources"
	"github.com/SKaiNET-developers/benchctl/spec"
)

// importFlags are what only import understands.
type importFlags struct {
	dir, url, write string
	force           bool
}

func newImport(e *env, f *flags) *cobra.Command {
	var a importFlags
	cmd := &cobra.Command{
		Annotations: takes("output", "offline", "quiet").
			but("file", "cannot import into what -f names: it is for specs that are read; name the file to write with --write"),
		Use:   "import",
		Short: "Write the runner.yaml of a runner that somebody else set up",
		Long: `Write the runner.yaml of a runner that was set up by hand or by GitHub's own
scripts: where and as what it is registered, as whom it runs and where, its
version, its environment, its JDK, the Phoronix Test Suite and the governor. Each
line says in a comment where it comes from, and what would be better. Nothing on
the host is changed; what an apply would do, benchctl diff shows.

That apply adopts the runner: its registration stays the one it is, GitHub sees
the same runner, and it is stopped only while no job runs (exit code 3 until
then). A runner that lies where jobs could swap it for another, such as in
somebody's home, moves: its registration is taken along, the program is unpacked
anew, and what else lies there stays.

Labels are kept at GitHub alone: without credentials for its API a comment stands
in their place. Credentials are only sent to github.com, or to the host of --url,
since whose .runner it is could have named any host.

The answer goes to standard output, or with --write into a file, which is
overwritten only with --force.`,
		Example: `  benchctl import
  benchctl import --install-dir /home/ana/actions-runner
  benchctl import --write /etc/benchctl/runner.yaml && benchctl diff
  benchctl import -o json | jq .found`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return importRunner(cmd.Context(), e, f, a)
		},
	}
	fs := cmd.Flags()
	fs.StringVar(&a.dir, "install-dir", "", "the `DIRECTORY` of the runner, where there are several")
	fs.StringVar(&a.url, "url", "", "the `URL` that the runner is registered at, where that is not at github.com")
	fs.StringVar(&a.write, "write", "", "write the spec into a `FILE`")
	fs.BoolVar(&a.force, "force", false, "overwrite the file that --write names")
	_ = cmd.MarkFlagFilename("write", "yaml", "yml")
	_ = cmd.MarkFlagDirname("install-dir")
	return cmd
}

func importRunner(ctx context.Context, e *env, f *flags, a importFlags) error {
	if err := needSight(e, "import"); err != nil {
		return err
	}
	defer e.machine.Close()
	if err := vacant(e, a); err != nil {
		return err
	}
	dir, err := adopt.Choose(e.machine, a.dir)
	if err != nil {
		return err
	}
	found, err := resources.Look(e.machine, dir)
	if err != nil {
		return err
	}
	view, err := askAbout(ctx, e, f, a, found)
	if err != nil {
		return err
	}
	name := a.write
	if name == "" {
		name = "runner.yaml"
	}
	draft, err := adopt.Write(found, view, e.machine.Hostname(), name)
	if err != nil {
		return err
	}
	if _, err := e.machine.Lstat("/run/systemd/system"); err != nil {
		draft.Notes = append(draft.Notes, "no systemd runs here, and benchctl apply needs one")
	}
	if err := a.put(e, draft.Text); err != nil {
		return err
	}
	return a.answer(e, f, draft)
}

// askAbout asks GitHub about the runner, if that can be done without telling a
// secret to whom `.runner` names.
func askAbout(ctx context.Context, e *env, f *flags, a importFlags, found *resources.Survey) (adopt.View, error) {
	at, err := spec.ParseURL(found.Registration.URL)
	if err != nil {
		return adopt.View{}, nil // adopt.Write says so
	}
	if a.url != "" && !strings.EqualFold(strings.TrimRight(a.url, "/"), at.Text) {
		return adopt.View{}, fmt.Errorf("cannot import the runner in %s as one of %s: its .runner says %s; leave --url out, or register it again", clean(found.Dir), a.url, clean(at.Text))
	}
	why := ""
	var gh adopt.GitHub
	switch cred, err := github.FindCredentials(e.machine, e.getenv, spec.GitHub{}); {
	case f.offline:
		why = "--offline forbids asking; run without it"
	case err != nil:
		return adopt.View{}, err
	case !cred.API():
		why = "there are no credentials for its API; set GITHUB_TOKEN and run again"
	case at.Host != "github.com" && a.url == "":
		why = "it is registered at " + at.Text + ", and credentials are sent there only when you say so: --url " + at.Text
	default:
		client, err := github.New(github.Options{URL: at, Credentials: cred, Version: version, Dial: relay.Dialer(e.getenv)})
		if err != nil {
			return adopt.View{}, err
		}
		gh = client
	}
	ctx, cancel := context.WithTimeout(ctx, mostStatus)
	defer cancel()
	return adopt.Ask(ctx, gh, found, why), nil
}

// vacant refuses early what --write would destroy.
func vacant(e *env, a importFlags) error {
	if a.write == "" || a.force {
		return nil
	}
	_, err := e.machine.Lstat(a.write)
	if !filepath.IsAbs(a.write) {
		_, err = os.Lstat(a.write)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", a.write, err)
	}
	return fmt.Errorf("cannot write %s: it is there already, and was not touched; name another file, or overwrite it with --force", a.write)
}

// put writes the spec where it is wanted. A path from / is the host's.
func (a importFlags) put(e *env, text string) error {
	if a.write == "" {
		return nil
	}
	if !filepath.IsAbs(a.write) {
		how := os.O_WRONLY | os.O_CREATE | os.O_TRUNC
		if !a.force {
			how |= os.O_EXCL
		}
		file, err := os.OpenFile(a.write, how, 0o644)
		if err == nil {
			_, err = file.WriteString(text)
			err = errors.Join(err, file.Close())
		}
		if err != nil {
			return fmt.Errorf("cannot write the spec: %w", err)
		}
		return nil
	}
	if dir := path.Dir(a.write); dir == path.Dir(defaultFile) {
		if err := e.machine.Mkdir(dir, host.Perm{Mode: 0o755}); err != nil {
			return fmt.Errorf("cannot make %s: %w", dir, err)
		}
	}
	return e.machine.Replace(a.write, []byte(text), host.Perm{Mode: 0o644})
}

// answer prints the spec, unless it is in a file, and what to do about it.
func (a importFlags) answer(e *env, f *flags, draft *adopt.Draft) error {
	if f.output == "json" {
		return printJSON(e, struct {
			Schema string `json:"schema"`
			*adopt.Draft
		}{"benchctl/import/v1", draft})
	}
	if a.write == "" {
		if _, err := bytes.NewBufferString(draft.Text).WriteTo(e.stdout); err != nil {
			return err
		}
	}
	if f.quiet {
		return nil
	}
	for _, note := range draft.Notes {
		fmt.Fprintln(e.stderr, "note:", clean(note))
	}
	if a.write != "" {
		next := "benchctl diff"
		if a.write != defaultFile {
			next += " -f " + a.write
		}
		fmt.Fprintf(e.stderr, "%s is written. %s shows what an apply would do.\n", a.write, next)
	}
	return nil
}
