package openapi

// translate turns the schemas of OpenAPI 3.0 into those of JSON Schema:
// nullable becomes a type of its own, and examples, which may hold anything,
// are left out.
func translate(node any) any {
	switch node := node.(type) {
	case []any:
		out := make([]any, len(node))
		for i, item := range node {
			out[i] = translate(item)
		}
		return out
	case map[string]any:
		return translateObject(node)
	}
	return node
}

func translateObject(node map[string]any) any {
	out := map[string]any{}
	for key, value := range node {
		if _, isSchema := value.(map[string]any); (key == "example" || key == "examples") && !isSchema {
			continue
		}
		out[key] = translate(value)
	}
	if nullable, _ := node["nullable"].(bool); !nullable {
		return out
	}
	delete(out, "nullable")
	return map[string]any{"anyOf": []any{map[string]any{"type": "null"}, out}}
}
