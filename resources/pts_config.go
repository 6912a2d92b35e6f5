package resources

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"syscall"
)

// A ptsConfig is the text of a user-config.xml; nil is one that is not there.
type ptsConfig []byte

// ptsEmpty is what a missing or unreadable file is taken for.
const ptsEmpty = `<?xml version="1.0"?>
<PhoronixTestSuite>
  <Options>
  </Options>
</PhoronixTestSuite>
`

// ptsRoot is the element that the paths of settings start below.
var ptsRoot = []string{"PhoronixTestSuite", "Options"}

// An xmlElement is an element by its place in the text.
type xmlElement struct {
	path        []string
	begin, end  int64  // of the whole element
	closing     int64  // where its end tag begins
	text        []byte // directly inside it
	selfClosing bool
}

// values returns the text of each setting in the order of ptsSettings: "absent"
// where it is not there, and all of them where it stands there more than once.
func (c ptsConfig) values() []string {
	elements, _ := c.elements()
	values := make([]string, len(ptsSettings))
	for i, s := range ptsSettings {
		path, found := settingPath(s.path), []string{}
		for _, e := range elements {
			if text := strings.TrimSpace(string(e.text)); slices.Equal(e.path, path) && !slices.Contains(found, text) {
				found = append(found, text)
			}
		}
		values[i] = orAbsent(strings.Join(found, ", "))
	}
	return values
}

// sound reports whether the text can be edited.
func (c ptsConfig) sound() bool {
	elements, err := c.elements()
	return err == nil && find(elements, ptsRoot) != nil
}

// with returns the text with the settings in it and all else as it was. What is
// not XML is replaced by a file that holds just the settings.
func (c ptsConfig) with(settings []ptsSetting) []byte {
	text := slices.Clone(c)
	if !c.sound() {
		text = ptsConfig(ptsEmpty)
	}
	for _, s := range settings {
		text = text.set(settingPath(s.path), s.value)
	}
	return text
}

// set gives every element at path the value; the first is the one that PTS
// reads. Where there is none, it is made, with its parents.
func (c ptsConfig) set(path []string, value string) ptsConfig {
	elements, _ := c.elements()
	name := path[len(path)-1]
	whole := fmt.Sprintf("<%s>%s</%s>", name, value, name)
	found := false
	for _, e := range slices.Backward(elements) {
		if slices.Equal(e.path, path) {
			c, found = c.splice(e.begin, e.end, whole), true
		}
	}
	if found {
		return c
	}
	parent := find(elements, path[:len(path)-1])
	if parent == nil {
		c = c.set(path[:len(path)-1], "")
		elements, _ = c.elements()
		parent = find(elements, path[:len(path)-1])
	}
	return c.append(parent, whole, len(path)-1)
}

// append puts a child before the end tag of its parent, on a line of its own.
func (c ptsConfig) append(parent *xmlElement, child string, depth int) ptsConfig {
	inner := strings.Repeat("  ", depth) + child + "\n" + strings.Repeat("  ", depth-1)
	if parent.selfClosing {
		name := parent.path[len(parent.path)-1]
		return c.splice(parent.begin, parent.end, fmt.Sprintf("<%s>\n%s</%s>", name, inner, name))
	}
	before := bytes.TrimRight(c[:parent.closing], " \t")
	if !bytes.HasSuffix(before, []byte("\n")) {
		inner = "\n" + inner
	}
	return c.splice(int64(len(before)), parent.closing, inner)
}

func (c ptsConfig) splice(from, to int64, text string) ptsConfig {
	return slices.Concat(c[:from], []byte(text), c[to:])
}

func settingPath(path string) []string {
	return append(slices.Clone(ptsRoot), strings.Split(path, "/")...)
}

func find(elements []*xmlElement, path []string) *xmlElement {
	for _, e := range elements {
		if slices.Equal(e.path, path) {
			return e
		}
	}
	return nil
}

// Bounds of what is taken for a user-config.xml: PTS writes some 5 KB, five
// levels deep. A job may write what it likes, and may not keep us busy with it.
const (
	maxSettings = 64 << 10
	maxDepth    = 16
)

var errNoSettings = errors.New("it is no user-config.xml")

// elements lists the elements in the order in which they end.
func (c ptsConfig) elements() (all []*xmlElement, err error) {
	if len(c) > maxSettings {
		return nil, errNoSettings
	}
	d := xml.NewDecoder(bytes.NewReader(c))
	d.CharsetReader = func(_ string, in io.Reader) (io.Reader, error) { return in, nil }
	var open []*xmlElement
	for {
		at := d.InputOffset()
		token, err := d.Token()
		if err == io.EOF {
			return all, nil
		}
		if err != nil || len(open) > maxDepth {
			return nil, errNoSettings
		}
		switch t := token.(type) {
		case xml.StartElement:
			e := &xmlElement{begin: at}
			if len(open) > 0 {
				e.path = slices.Clone(open[len(open)-1].path)
			}
			e.path = append(e.path, t.Name.Local)
			open = append(open, e)
		case xml.CharData:
			if len(open) > 0 {
				e := open[len(open)-1]
				e.text = append(e.text, t...)
			}
		case xml.EndElement:
			e := open[len(open)-1]
			open = open[:len(open)-1]
			e.closing, e.end = at, d.InputOffset()
			e.selfClosing = e.closing == e.end
			all = append(all, e)
		}
	}
}

// isNotDirectory reports whether a file stands where a directory should.
func isNotDirectory(err error) bool { return errors.Is(err, syscall.ENOTDIR) }
