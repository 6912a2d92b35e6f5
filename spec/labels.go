package spec

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// DefaultLabels are the labels that GitHub gives every runner on Linux x86_64
// by itself. x86_64 is not one of them: where it is listed it is a custom one.
var DefaultLabels = []string{"self-hosted", "Linux", "X64"}

// SameLabel compares labels as GitHub does.
func SameLabel(a, b string) bool { return strings.EqualFold(a, b) }

// CustomLabels are the labels wanted that GitHub does not give by itself.
func (r Runner) CustomLabels() []string {
	return slices.DeleteFunc(slices.Clone(r.Labels), func(label string) bool {
		return slices.ContainsFunc(DefaultLabels, func(d string) bool { return SameLabel(d, label) })
	})
}

// labels checks what the runner's own program checks late or not at all: in
// unattended mode one label that is too long silently costs all of them.
func (l *loader) labels(f *field) []string {
	f.each()
	var all []string
	for _, item := range f.items {
		label := item.text()
		same := func(other string) bool { return SameLabel(other, label) }
		switch {
		case !item.has():
			continue
		case strings.Contains(label, ","):
			l.fault(item, "write two labels", "%s holds a comma, which separates labels", quote(label))
		case strings.ContainsFunc(label, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }):
			l.fault(item, "use - instead", "%s holds a space or a control character", quote(label))
		case utf8.RuneCountInString(label) > 256:
			l.fault(item, "shorten it", "the label has %d characters; GitHub takes 256", utf8.RuneCountInString(label))
		case slices.ContainsFunc(all, same):
			l.fault(item, "remove it", "%s is there already; GitHub does not tell upper from lower case", quote(label))
		}
		all = append(all, label)
	}
	return all
}
