package spec

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v5"
	"gopkg.in/yaml.v3"
)

// A field is one value of the file together with its place and its schema.
// The tree of them is the only thing that knows which path stands where.
//
// A field that the file does not have is there too, without a node: its
// schema gives the default, and its parent's key the place to complain at.
type field struct {
	path   string
	src    *source    // the file that gives it; nil when absent
	key    *yaml.Node // nil for the whole file and for items
	node   *yaml.Node // nil when absent
	schema *jsonschema.Schema
	parent *field
	value  any      // for the schema: string, int64, bool, []any, map[string]any or nil
	items  []*field // of a list
	keys   []string // of a mapping, in the order of the file
	fields map[string]*field
	used   bool // somebody asked for it; a test holds that for every key
}

// grow makes the field of a node. The schema decides what a scalar is: a
// string wherever it allows one, so that 2.10, off and 2026-01-02 stay what
// was typed, whatever YAML makes of them.
func (l *loader) grow(f *field) *field {
	f.src = l.src
	switch f.node.Kind {
	case yaml.MappingNode:
		l.growMapping(f)
	case yaml.SequenceNode:
		l.growList(f)
	case yaml.ScalarNode:
		f.value = scalar(f.node, f.schema)
		if len(f.schema.Types) > 1 && allows(f.schema, "object") && f.value != nil {
			f.lengthen()
		}
	}
	return f
}

func (l *loader) growMapping(f *field) {
	f.fields = make(map[string]*field, len(f.node.Content)/2)
	value := make(map[string]any, len(f.node.Content)/2)
	for i := 0; i+1 < len(f.node.Content); i += 2 {
		key, node := f.node.Content[i], f.node.Content[i+1]
		if _, again := f.fields[key.Value]; again || key.Kind != yaml.ScalarNode {
			continue // lint has told
		}
		schema, known := property(f.schema, key.Value)
		if !known {
			value[key.Value] = nil
			if allows(f.schema, "object") && key.Tag != "!!merge" {
				l.unknown(f, key)
			}
			continue
		}
		child := l.grow(&field{path: join(f.path, key.Value), key: key, node: node, schema: schema, parent: f})
		f.keys = append(f.keys, key.Value)
		f.fields[key.Value] = child
		value[key.Value] = child.value
	}
	f.value = value
}

func (l *loader) growList(f *field) {
	schema, _ := f.schema.Items.(*jsonschema.Schema)
	value := make([]any, 0, len(f.node.Content))
	for i, node := range f.node.Content {
		if schema == nil {
			value = append(value, nil)
			continue
		}
		path := f.path + "[" + strconv.Itoa(i) + "]"
		child := l.grow(&field{path: path, node: node, schema: schema, parent: f})
		f.items = append(f.items, child)
		value = append(value, child.value)
	}
	f.value = value
}

// lengthen makes a short form long: a scalar in place of a mapping is the
// mapping's one required key. It keeps its path, since that is what was typed.
func (f *field) lengthen() {
	name := f.schema.Required[0]
	schema := f.schema.Properties[name]
	child := &field{path: f.path, src: f.src, key: f.key, node: f.node, schema: schema, parent: f, value: scalar(f.node, schema)}
	f.keys, f.fields = []string{name}, map[string]*field{name: child}
	f.value = map[string]any{name: child.value}
}

// plainInteger tells whether YAML of every age reads the same whole number.
func plainInteger(s string) bool {
	s = strings.TrimPrefix(s, "-")
	return only(s, digits) && len(s) <= 18 && (s == "0" || s[0] != '0')
}

// scalar is the value of a node as its schema wants it, or something that the
// schema will refuse. nil is no value at all.
func scalar(n *yaml.Node, s *jsonschema.Schema) any {
	switch {
	case n.Tag == "!!null" && n.Style == 0:
		return nil
	case allows(s, "string"):
		return n.Value
	case allows(s, "boolean") && n.Style == 0 && (n.Value == "true" || n.Value == "false"):
		return n.Value == "true"
	case allows(s, "integer") && n.Style == 0 && plainInteger(n.Value):
		i, _ := strconv.ParseInt(n.Value, 10, 64)
		return i
	}
	return n.Value
}

// allows tells whether a schema names a type among those it takes.
func allows(s *jsonschema.Schema, typ string) bool {
	for _, t := range s.Types {
		if t == typ {
			return true
		}
	}
	return false
}

// property returns the schema of a key: its own, or that of any key.
func property(s *jsonschema.Schema, key string) (*jsonschema.Schema, bool) {
	if p, ok := s.Properties[key]; ok {
		return p, true
	}
	p, ok := s.AdditionalProperties.(*jsonschema.Schema)
	return p, ok
}

// join makes the path of a key as a person writes it.
func join(path, key string) string {
	switch {
	case !only(key, alnum+"_-"):
		return path + "[" + quote(key) + "]"
	case path == "":
		return key
	}
	return path + "." + key
}

// has tells whether the file gives the field a value, a list or a mapping only
// where one may stand.
func (f *field) has() bool {
	switch f.value.(type) {
	case nil:
		return false
	case []any:
		return allows(f.schema, "array")
	case map[string]any:
		return allows(f.schema, "object")
	}
	return true
}

// hollow tells whether the field is a mapping that says nothing.
func (f *field) hollow() bool { return f.node.Kind == yaml.MappingNode && len(f.node.Content) == 0 }

// get returns the field of a key, present or not. The key is one of the
// schema's: anything else is a mistake in this package.
func (f *field) get(key string) *field {
	schema, known := f.schema.Properties[key]
	if !known {
		panic("spec: the schema has no key " + join(f.path, key))
	}
	child := f.fields[key]
	if child == nil {
		child = &field{path: join(f.path, key), schema: schema, parent: f}
	}
	child.used = true
	return child
}

// each returns what a list or a mapping of the user's own keys holds, in the
// order of the file.
func (f *field) each() []*field {
	all := slices.Clone(f.items)
	for _, key := range f.keys {
		all = append(all, f.fields[key])
	}
	for _, child := range all {
		child.used = true
	}
	return all
}

// text is the field's string, else its default, else "".
func (f *field) text() string {
	if s, ok := f.value.(string); ok && f.node != nil {
		return s
	}
	s, _ := f.schema.Default.(string)
	return s
}

// flag is the field's boolean, else its default.
func (f *field) flag() bool {
	if b, ok := f.value.(bool); ok {
		return b
	}
	b, _ := f.schema.Default.(bool)
	return b
}

// number is the field's integer, else its default, else 0.
func (f *field) number() int64 {
	if i, ok := f.value.(int64); ok {
		return i
	}
	n, _ := f.schema.Default.(json.Number)
	i, _ := n.Int64()
	return i
}

// place is where to complain about the field: at its value, or at the key of
// what lacks it.
func (f *field) place() (src *source, line, col int) {
	switch {
	case f.node != nil && f.value == nil && f.key != nil:
		return f.src, f.key.Line, f.key.Column
	case f.node != nil && (f.node.Kind == yaml.ScalarNode || f.key == nil):
		return f.src, f.node.Line, f.node.Column
	case f.node != nil:
		return f.src, f.key.Line, f.key.Column
	}
	return f.parent.place()
}
