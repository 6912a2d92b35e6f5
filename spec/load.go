package spec

import (
	"crypto/sha256"
	"encoding/hex"
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
	l, s := load(file, src)
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
	src   source
	root  *field
	found Problems
	seen  map[string]bool
}

func load(file string, src []byte) (*loader, *Spec) {
	l := &loader{src: source{file: file, text: src}, seen: map[string]bool{}}
	sum := sha256.Sum256(src)
	if p := l.src.readable(); p != nil {
		l.found = append(l.found, *p)
		return l, nil
	}
	l.refuseSecrets()
	doc := l.parse()
	if doc == nil {
		return l, nil
	}
	l.lint(doc)
	l.root = l.grow(&field{node: doc, schema: shape(), used: true})
	s := l.spec(l.root)
	l.validate(l.root)
	s.File, s.SHA256, s.Text = file, hex.EncodeToString(sum[:]), src
	return l, s
}

// spec reads the tree from the top. Every key is judged as far as it can be,
// whatever is wrong with the others.
func (l *loader) spec(root *field) *Spec {
	s := &Spec{
		Version:  int(root.get("version").number()),
		User:     l.user(root.get("user")),
		Gate:     root.get("gate").text(),
		Governor: l.governor(root.get("governor")),
		JDK:      l.jdk(root.get("jdk")),
		PTS:      l.pts(root.get("pts")),
		Schedule: l.schedule(root.get("schedule")),
	}
	s.InstallDir = l.installDir(root.get("installDir"), s.User.Home)
	s.Runner = l.runner(root.get("runner"), s)
	s.Service = l.service(root.get("service"))
	s.Notify = l.notify(root.get("notify"), s)
	s.Cleanup = l.cleanup(root.get("cleanup"))
	s.Metrics = l.metrics(root.get("metrics"), s)
	s.GitHub = l.github(root.get("github"), s.User.Home)
	return s
}

// at reports an error at a place; the same one only once.
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
	line, col := f.place()
	l.at(line, col, f.path, fmt.Sprintf(format, args...), hint)
}

// warn reports what is unwise about a field.
func (l *loader) warn(f *field, hint, format string, args ...any) {
	line, col := f.place()
	p := l.src.problem(line, col, f.path, fmt.Sprintf(format, args...), hint)
	p.Severity = Warning
	l.add(p)
}

func (l *loader) add(p Problem) {
	id := strconv.Itoa(p.Line) + ":" + strconv.Itoa(p.Col) + ":" + p.Path + ":" + p.Msg
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
