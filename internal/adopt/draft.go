package adopt

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/SKaiNET-developers/benchctl/resources"
	"github.com/SKaiNET-developers/benchctl/spec"
)

// A Draft is a runner.yaml with what was found.
type Draft struct {
	Survey *resources.Survey `json:"found"`
	GitHub View              `json:"github"`
	Notes  []string          `json:"notes"` // what an operator should do about it
	Text   string            `json:"spec"`

	lines []string
	user  string // as the spec has it
}

// Write drafts the spec. file is what it will be called, and host where it was
// found. An error says why no spec can be written that [spec.Load] takes.
func Write(s *resources.Survey, at View, host, file string) (*Draft, error) {
	url, err := spec.ParseURL(s.Registration.URL)
	if err != nil {
		return nil, fmt.Errorf("cannot import the runner in %s: its .runner says that it is registered at %s, which no runner can be; register it again", tidy(s.Dir), strconv.QuoteToGraphic(cut(s.Registration.URL)))
	}
	d := &Draft{Survey: s, GitHub: at, Notes: []string{}}
	d.say("Written by benchctl import from what was found on " + tidy(host) + ". Check it, then see what")
	d.say("an apply would do: benchctl diff -f " + tidy(file))
	d.put("version", "1", "")
	d.account()
	d.runner(url)
	d.tools()
	for _, what := range s.Unseen {
		d.say("not seen: " + tidy(what))
		d.note("not seen: %s", what)
	}
	if !s.Registration.Ephemeral {
		d.gap()
		d.say("Recommended: benchctl looks every half hour, and mends what drifted while no job runs.")
		d.say(`schedule: "*/30 * * * *"`)
	}
	return d, d.settle(file)
}

// put writes a key with where its value comes from.
func (d *Draft) put(key, value, from string) {
	line := key + ": " + value
	if from != "" {
		line += "  # " + from
	}
	d.lines = append(d.lines, line)
}

// say writes a comment, as far indented as its text is.
func (d *Draft) say(text string) {
	bare := strings.TrimLeft(text, " ")
	d.lines = append(d.lines, text[:len(text)-len(bare)]+"# "+bare)
}

func (d *Draft) gap() { d.lines = append(d.lines, "") }

func (d *Draft) note(format string, args ...any) {
	d.Notes = append(d.Notes, tidy(fmt.Sprintf(format, args...)))
}

// settle has the spec's own rules judge each line: one that they refuse becomes a
// comment that says why, and one that must not stand there at all is left out.
func (d *Draft) settle(file string) error {
	for range len(d.lines) {
		d.Text = strings.Join(d.lines, "\n") + "\n"
		_, err := spec.Load(file, []byte(d.Text))
		var problems spec.Problems
		if !errors.As(err, &problems) {
			return err
		}
		i := slices.IndexFunc(problems, func(p spec.Problem) bool { return p.Severity == spec.Error })
		if i < 0 {
			return nil
		}
		p := problems[i]
		if p.Line < 1 || p.Line > len(d.lines) {
			return fmt.Errorf("cannot write a spec of what was found: %s", p.Msg)
		}
		line := d.lines[p.Line-1]
		bare := strings.TrimLeft(line, " ")
		key, _, isKey := strings.Cut(bare, ":")
		if !isKey || strings.HasPrefix(bare, "#") || p.Path == "" {
			d.lines[p.Line-1] = "# left out: " + tidy(p.Msg)
		} else {
			d.lines[p.Line-1] = line[:len(line)-len(bare)] + "# left out: " + key + ": " + tidy(p.Msg)
		}
		d.note("%s is left out: %s", key, p.Msg)
	}
	return errors.New("cannot write a spec of what was found: too much of it is refused; write one by hand")
}

// plainScalar is what YAML reads as itself, and not as a number or a word of its own.
var plainScalar = regexp.MustCompile(`^[A-Za-z_/][A-Za-z0-9_./@+-]*$`)

// scalar is a text as YAML.
func scalar(text string) string {
	if plainScalar.MatchString(text) && !slices.Contains([]string{"true", "false", "yes", "no", "on", "off", "null", "y", "n"}, strings.ToLower(text)) {
		return text
	}
	return strconv.QuoteToGraphic(text)
}

func each(texts []string, f func(string) string) []string {
	all := make([]string, len(texts))
	for i, t := range texts {
		all[i] = f(t)
	}
	return all
}

// tidy makes text from the host fit for a comment and a terminal.
func tidy(text string) string {
	return cut(strings.Map(func(r rune) rune {
		if !unicode.IsGraphic(r) {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(text, "?")))
}

func cut(text string) string {
	const longest = 400
	if runes := []rune(text); len(runes) > longest {
		return string(runes[:longest]) + "…"
	}
	return text
}
