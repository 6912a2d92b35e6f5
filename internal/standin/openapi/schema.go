package openapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v5"
)

// resolve follows a reference inside the document.
func (c *Checker) resolve(item any) map[string]any {
	node, _ := item.(map[string]any)
	ref, ok := node["$ref"].(string)
	if !ok {
		return node
	}
	var at any = c.document
	for part := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
		parent, _ := at.(map[string]any)
		at = parent[strings.NewReplacer("~1", "/", "~0", "~").Replace(part)]
	}
	return c.resolve(at)
}

func escape(path string) string {
	return url.PathEscape(strings.NewReplacer("~", "~0", "/", "~1").Replace(path))
}

// validate holds a body to the schema that pointer names.
func (c *Checker) validate(what, pointer string, body []byte) []string {
	schema, ok := c.compiled[pointer]
	if !ok {
		var err error
		if schema, err = c.compiler.Compile(location + pointer); err != nil {
			return []string{fmt.Sprintf("the schema %s cannot be used: %v", pointer, err)}
		}
		c.compiled[pointer] = schema
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return []string{fmt.Sprintf("the %s is no JSON: %v", what, err)}
	}
	err := schema.Validate(value)
	if err == nil {
		return nil
	}
	invalid, ok := err.(*jsonschema.ValidationError)
	if !ok {
		return []string{err.Error()}
	}
	problems := leaves(invalid)
	for i := range problems {
		problems[i] = "the " + what + " " + problems[i]
	}
	slices.Sort(problems)
	return problems
}

func leaves(e *jsonschema.ValidationError) []string {
	if len(e.Causes) == 0 {
		return []string{fmt.Sprintf("at %q: %s", e.InstanceLocation, e.Message)}
	}
	var all []string
	for _, cause := range e.Causes {
		all = append(all, leaves(cause)...)
	}
	return all
}
