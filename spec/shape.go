package spec

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v5"
	"gopkg.in/yaml.v3"

	"github.com/SKaiNET-developers/benchctl/schema"
)

// shape compiles the schema once, and only when something is loaded.
var shape = sync.OnceValue(func() *jsonschema.Schema {
	c := jsonschema.NewCompiler()
	c.ExtractAnnotations = true // for the defaults
	c.LoadURL = func(s string) (io.ReadCloser, error) {
		return nil, errors.New("the schema stands alone and refers to no other")
	}
	if err := c.AddResource(schema.URL, bytes.NewReader(schema.JSON())); err != nil {
		panic(err) // the schema is part of the program, and every test loads it
	}
	return c.MustCompile(schema.URL)
})

// validate reports where the tree has not the shape that the schema wants.
// What a check has already said better about a field is not said again.
func (l *loader) validate(root *field) {
	var invalid *jsonschema.ValidationError
	if err := root.schema.Validate(root.value); !errors.As(err, &invalid) {
		return
	}
	told := make(map[string]bool, len(l.found))
	for _, p := range l.found {
		told[p.Path] = p.Severity == Error || told[p.Path]
	}
	all := leaves(invalid) // in random order, of which the first about a field is said
	slices.SortFunc(all, func(a, b *jsonschema.ValidationError) int {
		return cmp.Or(cmp.Compare(a.InstanceLocation, b.InstanceLocation), cmp.Compare(a.KeywordLocation, b.KeywordLocation))
	})
	for _, leaf := range all {
		f := root.find(leaf.InstanceLocation)
		keyword := path.Base(leaf.KeywordLocation)
		say := shapeWords[keyword]
		if say != nil && (!told[f.path] || keyword == "required") {
			say(l, f)
			told[f.path] = true
		}
	}
}

// leaves are the errors that have no cause below them: the inner ones only say
// that something is wrong.
func leaves(e *jsonschema.ValidationError) []*jsonschema.ValidationError {
	if len(e.Causes) == 0 {
		return []*jsonschema.ValidationError{e}
	}
	var all []*jsonschema.ValidationError
	for _, c := range e.Causes {
		all = append(all, leaves(c)...)
	}
	return all
}

// find follows a JSON pointer as far as there are fields.
func (f *field) find(pointer string) *field {
	for token := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		token, _ = url.PathUnescape(token)
		token = strings.NewReplacer("~1", "/", "~0", "~").Replace(token)
		next := f.fields[token]
		if i, err := strconv.Atoi(token); err == nil && i >= 0 && i < len(f.items) {
			next = f.items[i]
		}
		if next == nil {
			return f
		}
		f = next
	}
	return f
}

// shapeWords says each keyword of the schema in our own words. nil is a
// keyword whose faults are found while the tree is grown or by the checks,
// which know the place.
var shapeWords = map[string]func(*loader, *field){
	"type":                 (*loader).wrongType,
	"enum":                 (*loader).notOneOf,
	"required":             (*loader).missing,
	"pattern":              (*loader).wrongForm,
	"minLength":            func(l *loader, f *field) { l.fault(f, exampleHint(f), "is empty") },
	"maxLength":            func(l *loader, f *field) { l.fault(f, "shorten it", "has more than %d characters", f.schema.MaxLength) },
	"maxItems":             func(l *loader, f *field) { l.fault(f, "remove some", "has more than %d entries", f.schema.MaxItems) },
	"minimum":              (*loader).outOfRange,
	"maximum":              (*loader).outOfRange,
	"additionalProperties": nil,
	"uniqueItems":          nil,
}

// What a person calls the types of JSON.
var typeWords = map[string]string{
	"string": "text", "number": "a number", "integer": "a whole number", "boolean": "true or false",
	"array": "a list", "object": "a mapping",
}

func (l *loader) wrongType(f *field) {
	var want []string
	for _, t := range f.schema.Types {
		if t != "number" && !(t == "integer" && allows(f.schema, "string")) || len(f.schema.Types) == 1 {
			want = append(want, typeWords[t])
		}
	}
	have := map[yaml.Kind]string{yaml.MappingNode: "a mapping", yaml.SequenceNode: "a list", yaml.ScalarNode: "text"}[f.node.Kind]
	switch {
	case f.node.Kind == yaml.AliasNode: // lint has told
	case f.value == nil:
		l.fault(f, "give it one or remove the key", "has no value")
	case f.node.Kind == yaml.ScalarNode:
		l.fault(f, scalarHint(f), "%s is not %s", quote(f.node.Value), strings.Join(want, " or "))
	default:
		l.fault(f, exampleHint(f), "must be %s, not %s", strings.Join(want, " or "), have)
	}
}

// scalarHint is the next step when a scalar is of the wrong kind.
func scalarHint(f *field) string {
	v := f.node.Value
	switch {
	case allows(f.schema, "array"):
		return "put it in brackets: [" + strings.Join(strings.FieldsFunc(short(v), func(r rune) bool { return r == ',' || r == ' ' }), ", ") + "]"
	case allows(f.schema, "boolean") && slices.Contains([]string{"yes", "on", "y", "1", "true"}, strings.ToLower(v)):
		return "write true"
	case allows(f.schema, "boolean") && slices.Contains([]string{"no", "off", "n", "0", "false"}, strings.ToLower(v)):
		return "write false"
	case allows(f.schema, "integer") && plainInteger(v):
		return "write it without quotes"
	case allows(f.schema, "object"):
		return "known keys: " + strings.Join(slices.Sorted(maps.Keys(f.schema.Properties)), ", ")
	}
	return exampleHint(f)
}

func (l *loader) notOneOf(f *field) {
	words := make([]string, len(f.schema.Enum))
	for i, w := range f.schema.Enum {
		words[i] = fmt.Sprint(w)
	}
	if f == f.root().fields["version"] {
		l.fault(f, "write version: 1, or use the benchctl that the file was written for",
			"this benchctl understands version %s, not %s", strings.Join(words, ", "), quote(f.node.Value))
		return
	}
	if typed, ok := f.value.(string); ok {
		if typed == "false" || typed == "no" {
			typed = "off"
		}
		l.fault(f, suggest(typed, "one of", words), "%s is not one of %s", quote(f.node.Value), strings.Join(words, ", "))
	}
}

func (l *loader) missing(f *field) {
	for _, key := range f.schema.Required {
		if f.fields[key] == nil {
			child := f.get(key)
			l.fault(child, "add "+key+": "+example(child), "is missing")
		}
	}
}

func (l *loader) wrongForm(f *field) {
	l.fault(f, exampleHint(f), "%s has not the form that belongs here", quote(f.node.Value))
}

func (l *loader) outOfRange(f *field) {
	limit := "at least " + f.schema.Minimum.RatString()
	if f.schema.Maximum != nil {
		limit = "from " + f.schema.Minimum.RatString() + " to " + f.schema.Maximum.RatString()
	}
	l.fault(f, "choose a number "+limit, "%s is out of range", quote(f.node.Value))
}

// unknown reports a key that the schema does not have.
func (l *loader) unknown(f *field, key *yaml.Node) {
	if l.full() {
		return
	}
	known := slices.Sorted(maps.Keys(f.schema.Properties))
	hint := suggest(key.Value, "known keys", known)
	if nearest(key.Value, known) == "" {
		if secretName(key.Value) {
			hint = "credentials are not part of this file: see github.tokenFile, or set GITHUB_TOKEN"
		} else if elsewhere := keyElsewhere(shape(), "", key.Value); elsewhere == key.Value {
			hint = "did you mean the " + elsewhere + " at the top level, which is not indented?"
		} else if elsewhere != "" {
			hint = "did you mean " + elsewhere + "?"
		}
	}
	l.at(key.Line, key.Column, join(f.path, key.Value), "unknown key", hint)
}

// keyElsewhere looks for a key that was written in the wrong place.
func keyElsewhere(s *jsonschema.Schema, at, key string) string {
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		here := join(at, name)
		if name == key {
			return here
		}
		if found := keyElsewhere(s.Properties[name], here, key); found != "" {
			return found
		}
	}
	return ""
}

func (f *field) root() *field {
	for f.parent != nil {
		f = f.parent
	}
	return f
}

// example is the schema's first example of a field, as it would be typed.
func example(f *field) string {
	if len(f.schema.Examples) == 0 {
		return "with " + strings.Join(f.schema.Required, " and ")
	}
	s := fmt.Sprint(f.schema.Examples[0])
	if strings.HasPrefix(s, "{") || strings.HasPrefix(s, "*") {
		return strconv.Quote(s)
	}
	return s
}

func exampleHint(f *field) string {
	if list, ok := f.schema.Items.(*jsonschema.Schema); ok && len(list.Examples) > 0 {
		return fmt.Sprintf("for example [%v]", list.Examples[0])
	}
	if len(f.schema.Examples) > 0 && f.schema.Properties == nil && !allows(f.schema, "object") {
		return "for example " + example(f)
	}
	if f.schema.Properties != nil {
		return "known keys: " + strings.Join(slices.Sorted(maps.Keys(f.schema.Properties)), ", ")
	}
	if f.schema.Default != nil && !allows(f.schema, "object") {
		return fmt.Sprint("for example ", f.schema.Default)
	}
	return "write NAME: VALUE"
}
