package spec

import (
	"bytes"
	"maps"

	"gopkg.in/yaml.v3"
)

// under lays a later file's field over this one: mappings merge, key by key,
// and everything else is replaced. A short form counts as the mapping that it
// is short for.
func (f *field) under(later *field) *field {
	mine, ok1 := f.value.(map[string]any)
	its, ok2 := later.value.(map[string]any)
	if !ok1 || !ok2 || f.short() && later.short() {
		later.parent = f.parent
		return later
	}
	maps.Copy(mine, its)
	for _, key := range later.keys {
		child := later.fields[key]
		if before := f.fields[key]; before != nil {
			child = before.under(child)
		} else {
			f.keys = append(f.keys, key)
		}
		child.parent = f
		f.fields[key], mine[key] = child, child.value
	}
	return f
}

// short reports whether the field was typed as a scalar in place of a mapping.
func (f *field) short() bool { return len(f.keys) == 1 && f.fields[f.keys[0]].node == f.node }

// print is the tree as the text of one file: what all of them together say.
func (f *field) print() []byte {
	var text bytes.Buffer
	enc := yaml.NewEncoder(&text)
	enc.SetIndent(2)
	// A tree that was read can be written, and a buffer takes it.
	if err := enc.Encode(f.yaml()); err != nil {
		panic(err)
	}
	return text.Bytes()
}

// yaml is the field as a node without the places and comments of its file. What
// it holds of short forms and quotes stays as it was typed.
func (f *field) yaml() *yaml.Node {
	if f.fields == nil || f.short() {
		return plain(f.node)
	}
	n := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	for _, key := range f.keys {
		n.Content = append(n.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: key}, f.fields[key].yaml())
	}
	return n
}

func plain(n *yaml.Node) *yaml.Node {
	bare := &yaml.Node{Kind: n.Kind, Tag: n.Tag, Style: n.Style, Value: n.Value}
	for _, c := range n.Content {
		bare.Content = append(bare.Content, plain(c))
	}
	return bare
}
