package hosttest

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// poke writes value to a kernel file with the kernel's manners.
func poke(at, path, value string) error {
	old, err := os.ReadFile(at)
	if err != nil {
		return err
	}
	value = strings.TrimSpace(value)
	text := value
	if words := strings.Fields(string(old)); slices.ContainsFunc(words, bracketed) {
		if text, err = choose(words, value); err != nil {
			return &fs.PathError{Op: "write", Path: path, Err: err}
		}
	}
	if filepath.Base(at) == "scaling_governor" {
		offered, _ := os.ReadFile(filepath.Join(filepath.Dir(at), "scaling_available_governors"))
		if !slices.Contains(strings.Fields(string(offered)), value) {
			return &fs.PathError{Op: "write", Path: path, Err: syscall.EINVAL}
		}
	}
	return os.WriteFile(at, []byte(text+"\n"), 0o644)
}

func bracketed(word string) bool { return strings.HasPrefix(word, "[") && strings.HasSuffix(word, "]") }

// choose moves the brackets to value.
func choose(words []string, value string) (string, error) {
	found := false
	for i, word := range words {
		words[i] = strings.Trim(word, "[]")
		if words[i] == value {
			words[i], found = "["+value+"]", true
		}
	}
	if !found {
		return "", syscall.EINVAL
	}
	return strings.Join(words, " "), nil
}
