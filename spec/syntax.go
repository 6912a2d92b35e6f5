package spec

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// parse reads the one document of the file. It returns nil when there is no
// sense in looking further; why is then among the problems.
func (l *loader) parse() *yaml.Node {
	docs, err := decode(l.src.text)
	switch {
	case err != nil:
		l.syntax(err)
		return nil
	case len(docs) == 0 || docs[0].Tag == "!!null":
		l.at(1, 1, "", "the file says nothing", "start with version: 1, user and runner, as benchctl schema --example has it")
		return nil
	case len(docs) > 1:
		l.at(docs[1].Line, docs[1].Col, "", "a second document begins here", "one file describes one host: remove it, or put it into a file of its own")
	}
	return docs[0].Node
}

// document is a parsed document and where it begins.
type document struct {
	*yaml.Node
	Col int
}

// decode parses up to two documents. The library is known to end a few hostile
// inputs with a panic; that is an error like any other here.
func decode(text []byte) (docs []document, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = errors.New("yaml: the library gave up")
		}
	}()
	d := yaml.NewDecoder(bytes.NewReader(text))
	for len(docs) < 2 {
		var node yaml.Node
		if err := d.Decode(&node); err == io.EOF {
			return docs, nil
		} else if err != nil {
			return nil, err
		}
		if len(node.Content) > 0 {
			docs = append(docs, document{node.Content[0], node.Content[0].Column})
		}
	}
	return docs, nil
}

// What the YAML library means, in words of someone who edits a file.
var syntaxWords = []struct{ theirs, msg, hint string }{
	{"mapping values are not allowed", "a key is not expected here", "put a value that holds a colon and a space in quotes, or mend the indentation"},
	{"could not find expected ':'", "a key has no colon after it", "write KEY: VALUE"},
	{"did not find expected key", "this fits neither the mapping above nor a new one", "mend the indentation, or a quote that is closed too early"},
	{"did not find expected '-' indicator", "this is not an item of the list above", "begin it with a dash, or mend the indentation"},
	{"did not find expected ',' or", "a list or mapping in brackets is not closed, or lacks a comma", "add the comma or the bracket"},
	{"found unexpected end of stream", "a quote is opened and never closed", "close it on the same line"},
	{"found unknown escape character", `a backslash in double quotes must begin an escape`, "use single quotes"},
	{"unknown anchor", "aliases are not used in this file", "write the value out"},
	{"exceeded max depth", "the nesting is too deep", "nothing in this file is nested deeper than four levels"},
	{"found character that cannot start any token", "no value can begin with this character", "put the value in quotes"},
	{"alphabetic or numeric character", "a value that begins with * or & must be in quotes", `for example "*/30 * * * *"`},
	{"found incompatible YAML document", "this version of YAML is not understood", "remove the %YAML line"},
}

// syntax reports what the YAML library could not read.
func (l *loader) syntax(err error) {
	msg, hint := "this is not YAML", "see benchctl schema --example for the form"
	for _, w := range syntaxWords {
		if strings.Contains(err.Error(), w.theirs) {
			msg, hint = w.msg, w.hint
			break
		}
	}
	line := l.brokenLine(err)
	lines := bytes.SplitAfter(l.src.text, []byte("\n"))
	above := len(bytes.Join(lines[:line-1], nil))
	text := string(bytes.TrimRight(lines[line-1], "\r\n"))
	good := l.goodPart(above, len(text))
	rest := strings.TrimLeft(text, " ")
	if strings.HasPrefix(rest, "\t") {
		msg, hint, good = "a tab is used to indent", "YAML wants spaces: use two", len(text)-len(rest)
	}
	l.at(line, 1+utf8.RuneCountInString(text[:good]), "", msg, hint)
}

// goodPart is how many bytes of a line, which begins at an offset of the text,
// leave the text YAML: the column after it is where the trouble begins.
func (l *loader) goodPart(above, length int) int {
	if above+length > smallEnough || length > excerptWidth {
		return 0
	}
	for n := length; n > 0; n-- {
		part := l.src.text[:above+n]
		if part[len(part)-1] == ' ' || !utf8.Valid(part) {
			continue
		}
		if _, err := decode(part); err == nil {
			rest := l.src.text[above+n : above+length]
			return length - len(bytes.TrimLeft(rest, " "))
		}
	}
	line := l.src.text[above : above+length]
	return length - len(bytes.TrimLeft(line, " "))
}

var libraryLine = pattern(`^yaml: line (\d+):`)

// smallEnough is the most bytes for which every beginning of the file is tried.
const smallEnough = 4 << 10

// brokenLine finds the line that breaks the file: the one after the longest
// beginning that is still YAML. The library's own line is that of what was
// open at the time, often many lines above, and serves only for long files.
func (l *loader) brokenLine(err error) int {
	lines := bytes.SplitAfter(l.src.text, []byte("\n"))
	if len(l.src.text) > smallEnough {
		line := 1
		if m := libraryLine().FindStringSubmatch(err.Error()); m != nil {
			line, _ = strconv.Atoi(m[1])
		}
		return min(max(line, 1), len(lines))
	}
	end := len(l.src.text)
	for n := len(lines); n > 1; n-- {
		end -= len(lines[n-1])
		if _, err := decode(l.src.text[:end]); err == nil {
			return skipBlank(lines, n)
		}
	}
	return skipBlank(lines, 1)
}

// skipBlank moves from a line to the first one that says something.
func skipBlank(lines [][]byte, n int) int {
	for i := n; i <= len(lines); i++ {
		if text := bytes.TrimSpace(lines[i-1]); len(text) > 0 && text[0] != '#' {
			return i
		}
	}
	return n
}

// lint refuses what YAML has and this file does not: anchors, aliases, merge
// keys, tags, keys that are not words, and keys given twice.
func (l *loader) lint(n *yaml.Node) {
	switch {
	case n.Kind == yaml.AliasNode:
		l.at(n.Line, n.Column, "", "aliases are not used in this file", "write the value out")
	case n.Anchor != "":
		l.at(n.Line, n.Column, "", "anchors are not used in this file", "remove &"+n.Anchor)
	case n.Style&yaml.TaggedStyle != 0:
		l.at(n.Line, n.Column, "", "tags are not used in this file", "remove "+n.Tag)
	}
	if n.Kind == yaml.MappingNode {
		l.lintKeys(n)
	}
	for _, c := range n.Content {
		l.lint(c)
	}
}

func (l *loader) lintKeys(n *yaml.Node) {
	seen := make(map[string]int, len(n.Content)/2)
	for i := 0; i < len(n.Content); i += 2 {
		key := n.Content[i]
		switch before, again := seen[key.Value]; {
		case key.Kind == yaml.AliasNode || key.Anchor != "":
		case key.Kind != yaml.ScalarNode:
			l.at(key.Line, key.Column, "", "a list or a mapping cannot be a key", "write KEY: VALUE")
		case key.Tag == "!!merge":
			l.at(key.Line, key.Column, "", "merge keys are not used in this file", "write the keys out")
		case again:
			l.at(key.Line, key.Column, "", fmt.Sprintf("the key %s is there already, in line %d", quote(key.Value), before), "keep one of the two")
		default:
			seen[key.Value] = key.Line
		}
	}
}
