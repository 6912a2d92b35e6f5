package spec

import (
	"bytes"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxSize is the largest runner.yaml that is read, in bytes; a real one has a
// few hundred.
const MaxSize = 1 << 20

// source is the text of a file and what is needed to quote from it.
type source struct {
	nth   int // of the files, from 0
	file  string
	text  []byte
	lines []string // secrets masked; made when the first problem is

	quoted int // the line that was quoted last, and its text
	quote  []rune
}

// excerptWidth is how many characters of a line are shown.
const excerptWidth = 100

// problem is a Problem at a place of the file. What it quotes is masked.
func (s *source) problem(line, col int, path, msg, hint string) Problem {
	if s.lines == nil {
		s.lines = strings.Split(maskSecrets(string(s.text)), "\n")
	}
	line = min(max(line, 1), len(s.lines))
	runes := s.shown(line)
	col = min(max(col, 1), len(runes)+1)
	p := Problem{File: s.file, Line: line, Col: col, Path: printable(mask(path)),
		Severity: Error, nth: s.nth, Msg: printable(mask(msg)), Hint: printable(mask(hint))}
	p.Excerpt, p.caret = window(runes, col-1)
	return p
}

// shown is a line as it is quoted. A line may have a megabyte, and a problem at
// each word.
func (s *source) shown(line int) []rune {
	if s.quoted != line {
		s.quoted, s.quote = line, []rune(mask(strings.TrimSuffix(s.lines[line-1], "\r")))
	}
	return s.quote
}

// window cuts a line down to what surrounds the character at, and returns
// where that character is in the cut.
func window(line []rune, at int) (string, int) {
	from := max(0, min(at-excerptWidth/2, len(line)-excerptWidth))
	to := min(len(line), from+excerptWidth)
	before, after := "", ""
	if from > 0 {
		before = "…"
	}
	if to < len(line) {
		after = "…"
	}
	return before + printable(string(line[from:to])) + after, at - from + len([]rune(before))
}

// printable replaces, one for one, what would move the cursor or hide text on
// a terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\t' || unicode.IsPrint(r) {
			return r
		}
		return utf8.RuneError
	}, s)
}

// blank is as wide on a terminal as the first n characters of s.
func blank(s string, n int) string {
	var b strings.Builder
	for _, r := range s {
		if n--; n < 0 {
			break
		}
		switch {
		case r == '\t':
			b.WriteByte('\t')
		case unicode.Is(unicode.Mn, r):
		case wide(r):
			b.WriteString("  ")
		default:
			b.WriteByte(' ')
		}
	}
	return b.String()
}

// wide tells whether a terminal gives the character two cells: the East Asian
// blocks and the pictographs (Unicode Standard Annex 11).
func wide(r rune) bool {
	return r >= 0x1100 && r <= 0x115F || r >= 0x2E80 && r <= 0xA4CF || r >= 0xAC00 && r <= 0xD7A3 ||
		r >= 0xF900 && r <= 0xFAFF || r >= 0xFE30 && r <= 0xFE6F || r >= 0xFF00 && r <= 0xFF60 ||
		r >= 0xFFE0 && r <= 0xFFE6 || r >= 0x1F300 && r <= 0x1FAFF || r >= 0x20000 && r <= 0x3FFFD
}

// readable says what keeps the text from being read as YAML at all, before
// the YAML library sees it: that one knows no column, and less of the reason.
func (s *source) readable() *Problem {
	if len(s.text) > MaxSize {
		size := len(s.text)
		s.text = nil
		return s.unreadable(1, 1, fmt.Sprintf("the file has %d bytes, more than the %d that are read", size, MaxSize),
			"is this the right file?")
	}
	if bytes.HasPrefix(s.text, []byte("\xff\xfe")) || bytes.HasPrefix(s.text, []byte("\xfe\xff")) {
		return s.unreadable(1, 1, "the text is UTF-16", "save the file as UTF-8")
	}
	s.text = bytes.TrimPrefix(s.text, []byte("\ufeff"))
	line, col := 1, 1
	for i := 0; i < len(s.text); {
		r, n := utf8.DecodeRune(s.text[i:])
		if p := s.refuse(r, n, i, line, col); p != nil {
			return p
		}
		i, col = i+n, col+1
		if r == '\n' {
			line, col = line+1, 1
		}
	}
	return nil
}

// refuse judges one character: n bytes at offset i.
func (s *source) refuse(r rune, n, i, line, col int) *Problem {
	switch {
	case r == '\n' || r == '\t' || r >= ' ' && r < 0x7f:
		return nil
	case r == utf8.RuneError && n == 1:
		return s.unreadable(line, col, fmt.Sprintf("the byte 0x%02x is not UTF-8", s.text[i]), "save the file as UTF-8")
	case r == '\r' && i+1 < len(s.text) && s.text[i+1] == '\n':
		return nil
	case r == '\r' || r == '\u0085' || r == '\u2028' || r == '\u2029':
		return s.unreadable(line, col, fmt.Sprintf("the character %U is an unusual line break", r), "end lines with a line feed")
	case unicode.Is(unicode.Bidi_Control, r):
		return s.unreadable(line, col, fmt.Sprintf("the invisible character %U changes the order in which the line is shown", r), "remove it")
	case unicode.IsControl(r) || r == '\ufeff' || r > 0xffff && !unicode.IsGraphic(r):
		return s.unreadable(line, col, fmt.Sprintf("the control character %U does not belong in a text", r), "remove it")
	}
	return nil
}

func (s *source) unreadable(line, col int, msg, hint string) *Problem {
	p := s.problem(line, col, "", msg, hint)
	return &p
}
