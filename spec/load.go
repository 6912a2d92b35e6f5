package spec

import (
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxProblems bounds what is reported about a file that is not a runner.yaml
// at all.
const maxProblems = 100

// Load makes a Spec of the text of a file, every default filled in. file is
// its name, for messages. An error is always [Problems]: all that is wrong and
// all there is to warn of, sorted by place. Warnings alone are in the Spec.
func Load(file string, src []byte) (*Spec, error) {
	return LoadAll(File{file, src})
}

// A File is the text of a spec, or of a part of one, and its name for messages.
type File struct {
	Name string
	Text []byte
}

// LoadAll makes a Spec of several files: a later one is laid over those before
// it. Mappings merge, everything else is replaced. Each problem names the file
// that said it. The Spec's text is then the result, written anew.
func LoadAll(files ...File) (*Spec, error) {
	l, s := load(files...)
	l.found.sort()
	errs := l.found.of(Error)
	switch {
	case len(errs) == 0:
		s.Warnings = l.found
		return s, nil
	case len(l.found) > maxProblems:
		return nil, errs[:min(len(errs), maxProblems)]
	}
	return nil, l.found
}

// LoadFile reads a file, no more than [MaxSize] of it, and loads it.
func LoadFile(file string) (*Spec, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("cannot read the spec: %w; name it with --file", err)
	}
	defer f.Close()
	src, err := io.ReadAll(io.LimitReader(f, MaxSize+1))
	if err != nil {
		return nil, fmt.Errorf("cannot read the spec: %w; name it with --file", err)
	}
	return Load(file, src)
}

// A loader is what the parts of one Load share.
type loader struct {
	src   *source // the file that is being read
	root  *field
	found Problems
	seen  map[string]bool
}

func load(files ...File) (*loader, *Spec) {
	l := &loader{seen: map[string]bool{}}
	broken := false
	for n, file := range files {
		switch root := l.read(n, file); {
		case root == nil:
			broken = true
		case l.root == nil:
			l.root = root
		default:
			l.root = l.root.under(root)
		}
	}
	if broken {
		return l, nil
	}
	s := l.spec(l.root)
	l.validate(l.root)
	s.File, s.Text = names(files), files[0].Text
	if len(files) > 1 {
		s.Text = l.root.print()
	}
	s.SHA256 = fmt.Sprintf("%x", sha256.Sum256(s.Text))
	return l, s
}

// read makes a tree of the n-th file, nil when there is no sense in looking further.
func (l *loader) read(n int, file File) *field {
	l.src = &source{nth: n, file: file.Name, text: file.Text}
	if p := l.src.readable(); p != nil {
		l.found = append(l.found, *p)
		return nil
	}
	l.refuseSecrets()
	doc := l.parse()
	if doc == nil {
		return nil
	}
	l.lint(doc)
	return l.grow(&field{node: doc, schema: shape(), used: true})
}

// names is what the files are called together.
func names(files []File) string {
	all := make([]string, len(files))
	for i, f := range files {
		all[i] = f.Name
	}
	return strings.Join(all, ", ")
}

// spec reads the tree from the top. Every key is judged as far as it can be,
// whatever is wrong with the others.
func (l *loader) spec(root *field) *Spec {
	s := &Spec{
		Version:  int(root.get("version").number()),
		User:     l.user(root.get("user")),
		Gate:     l.gate(root.get("gate")),
		Governor: l.governor(root.get("governor")),
		JDK:      l.jdk(root.get("jdk")),
		PTS:      l.pts(root.get("pts")),
		Schedule: l.schedule(root.get("schedule")),
	}
	s.InstallDir = l.installDir(root.get("installDir"), s.User)
	s.Runner = l.runner(root.get("runner"), s)
	l.oneJob(root.get("runner").get("ephemeral"), s, root.get("github").has())
	s.Service = l.service(root.get("service"))
	s.Notify = l.notify(root.get("notify"), s)
	s.Cleanup = l.cleanup(root.get("cleanup"))
	s.Metrics = l.metrics(root.get("metrics"), s)
	s.GitHub = l.github(root.get("github"), s.User.Home)
	return s
}

// at reports an error at a place of the file that is being read; the same one
// only once.
func (l *loader) at(line, col int, path, msg, hint string) {
	if l.full() {
		return
	}
	l.add(l.src.problem(line, col, path, msg, hint))
}

// full tells whether so much is wrong that this can be no runner.yaml.
func (l *loader) full() bool { return len(l.found) >= 10*maxProblems }

// fault reports what is wrong with a field.
func (l *loader) fault(f *field, hint, format string, args ...any) {
	if l.full() {
		return
	}
	src, line, col := f.place()
	l.add(src.problem(line, col, f.path, fmt.Sprintf(format, args...), hint))
}

// warn reports what is unwise about a field.
func (l *loader) warn(f *field, hint, format string, args ...any) {
	src, line, col := f.place()
	p := src.problem(line, col, f.path, fmt.Sprintf(format, args...), hint)
	p.Severity = Warning
	l.add(p)
}

func (l *loader) add(p Problem) {
	id := p.File + ":" + strconv.Itoa(p.Line) + ":" + strconv.Itoa(p.Col) + ":" + p.Path + ":" + p.Msg
	if l.seen[id] {
		return
	}
	l.seen[id] = true
	l.found = append(l.found, p)
}

// quote shows a value of the file in a message, on one line and not too long.
func quote(s string) string { return strconv.Quote(short(s)) }

// short is the first line of a text, or as much of it as is worth showing, secrets masked
// before anything is cut.
func short(s string) string {
	s, _, more := strings.Cut(mask(s), "\n")
	if utf8.RuneCountInString(s) > 60 {
		s, more = string([]rune(s)[:60]), true
	}
	if more {
		s += "…"
	}
	return s
}
