// Package openapi holds exchanges with the stand-in to GitHub's own
// description of its API: the stand-in's answers and the requests of its
// callers alike. It is for tests; the extract it embeds, with its origin, is in
// testdata.
package openapi

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"

	"github.com/SKaiNET-developers/benchctl/internal/standin"
	"github.com/santhosh-tekuri/jsonschema/v5"
)

//go:embed testdata/github-openapi.json
var extract []byte

// GitHub returns the checker for GitHub's description. It is read once.
var GitHub = sync.OnceValue(func() *Checker {
	c, err := New(extract)
	if err != nil {
		panic(err) // the extract is part of the program
	}
	return c
})

// A Checker is a description, ready to check exchanges; it implements
// [standin.Checker].
type Checker struct {
	operations []operation

	mu       sync.Mutex
	document map[string]any
	compiler *jsonschema.Compiler
	compiled map[string]*jsonschema.Schema
}

// operation is one method of one path.
type operation struct {
	method, path string
	pointer      string // to it in the document
	node         map[string]any
}

const location = "https://benchctl.invalid/openapi.json"

// New reads a description in OpenAPI 3.0.
func New(document []byte) (*Checker, error) {
	c := &Checker{compiled: map[string]*jsonschema.Schema{}}
	if err := json.Unmarshal(document, &c.document); err != nil {
		return nil, fmt.Errorf("cannot read the description: %w", err)
	}
	paths, _ := c.document["paths"].(map[string]any)
	for path, item := range paths {
		methods, _ := item.(map[string]any)
		for method, node := range methods {
			if node, ok := node.(map[string]any); ok {
				c.operations = append(c.operations, operation{
					strings.ToUpper(method), path, "#/paths/" + escape(path) + "/" + method, node,
				})
			}
		}
	}
	translated, err := json.Marshal(translate(c.document))
	if err != nil {
		return nil, err
	}
	c.compiler = jsonschema.NewCompiler()
	c.compiler.Draft = jsonschema.Draft7
	c.compiler.AssertFormat = true
	c.compiler.LoadURL = func(string) (io.ReadCloser, error) {
		return nil, errors.New("a description refers to nothing outside itself")
	}
	return c, c.compiler.AddResource(location, bytes.NewReader(translated))
}

// Check implements [standin.Checker].
func (c *Checker) Check(e standin.Exchange) (bool, []string) {
	op, values, found := c.find(e.Method, e.Path)
	if !found {
		return false, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	problems := c.parameters(op, values, e.Query)
	if e.Status < http.StatusBadRequest { // a refused request may well be malformed
		problems = append(problems, c.sent(op, e.Sent)...)
	}
	return true, append(problems, c.answered(op, e)...)
}

// find returns the operation whose path fits best: literal parts before parameters.
func (c *Checker) find(method, path string) (operation, map[string]string, bool) {
	var best operation
	var values map[string]string
	for _, op := range c.operations {
		if op.method != method {
			continue
		}
		if fitting, ok := fit(op.path, path); ok && (values == nil || len(fitting) < len(values)) {
			best, values = op, fitting
		}
	}
	return best, values, values != nil
}

// fit takes the values of a pattern's parts from a path. The parameter that
// GitHub calls path is one with slashes in it.
func fit(pattern, path string) (map[string]string, bool) {
	want, have := strings.Split(pattern, "/"), strings.Split(path, "/")
	if last := len(want) - 1; want[last] == "{path}" && len(have) > last {
		have = append(have[:last:last], strings.Join(have[last:], "/"))
	}
	if len(want) != len(have) {
		return nil, false
	}
	values := map[string]string{}
	for i, part := range want {
		if strings.HasPrefix(part, "{") && have[i] != "" {
			values[strings.Trim(part, "{}")] = have[i]
		} else if part != have[i] {
			return nil, false
		}
	}
	return values, true
}

// parameters checks path and query: unknown names, missing ones, types.
func (c *Checker) parameters(op operation, values map[string]string, rawQuery string) []string {
	query, err := url.ParseQuery(rawQuery)
	if err != nil {
		return []string{"the query cannot be read: " + err.Error()}
	}
	var problems []string
	known := map[string]bool{}
	list, _ := op.node["parameters"].([]any)
	for _, item := range list {
		p := c.resolve(item)
		name, _ := p["name"].(string)
		value, given := values[name]
		if p["in"] == "query" {
			known[name] = true
			value, given = query.Get(name), query.Has(name)
		}
		schema, _ := p["schema"].(map[string]any)
		switch required, _ := p["required"].(bool); {
		case !given && required:
			problems = append(problems, fmt.Sprintf("the request lacks the parameter %q", name))
		case given && schema["type"] == "integer":
			if _, err := strconv.ParseInt(value, 10, 64); err != nil {
				problems = append(problems, fmt.Sprintf("the parameter %s=%q is no integer", name, value))
			}
		}
	}
	for name := range query {
		if !known[name] {
			problems = append(problems, fmt.Sprintf("the request has the unknown parameter %q", name))
		}
	}
	return problems
}

// sent checks the body of a request.
func (c *Checker) sent(op operation, body []byte) []string {
	node, described := op.node["requestBody"].(map[string]any)
	if !described {
		if len(bytes.TrimSpace(body)) > 0 {
			return []string{"the request has a body where none is described"}
		}
		return nil
	}
	if required, _ := node["required"].(bool); len(body) == 0 && !required {
		return nil
	}
	return c.validate("request", op.pointer+"/requestBody/content/application~1json/schema", body)
}

// answered checks status and body of an answer. An error that the operation
// does not list is one that any operation may give.
func (c *Checker) answered(op operation, e standin.Exchange) []string {
	responses, _ := op.node["responses"].(map[string]any)
	status := strconv.Itoa(e.Status)
	node, listed := responses[status].(map[string]any)
	if !listed {
		if e.Status >= http.StatusBadRequest {
			return c.validate("answer", "#/components/schemas/basic-error", e.Answer)
		}
		return []string{"the answer's status " + status + " is not described"}
	}
	pointer := op.pointer + "/responses/" + status
	if ref, ok := node["$ref"].(string); ok {
		pointer, node = ref, c.resolve(node)
	}
	content, _ := node["content"].(map[string]any)
	if content["application/json"] == nil {
		if len(e.Answer) > 0 {
			return []string{"the answer has a body where none is described"}
		}
		return nil
	}
	return c.validate("answer", pointer+"/content/application~1json/schema", e.Answer)
}
