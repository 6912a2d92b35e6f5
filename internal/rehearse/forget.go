package rehearse

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// lower takes the screen's files out of the copy, and the passwords out of its
// accounts. It returns how many files there were.
func (s *screen) lower(root *os.Root) (n int, err error) {
	for _, name := range s.files {
		err := root.Remove(name[1:])
		switch {
		case err == nil:
			n++
		case !errors.Is(err, fs.ErrNotExist) && !s.hides(name):
			return n, fmt.Errorf("cannot take %s out of the copy: %w", name, err)
		}
	}
	return n, errors.Join(blank(root, "etc/shadow"), blank(root, "etc/gshadow"))
}

// blank takes the password hashes out of a shadow file; what is not locked
// stays so, and opens for no password.
func blank(root *os.Root, name string) error {
	data, err := root.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var out bytes.Buffer
	for line := range strings.Lines(string(data)) {
		fields := strings.Split(line, ":")
		if len(fields) > 2 && strings.Trim(fields[1], "!*") != "" {
			locked := fields[1][:len(fields[1])-len(strings.TrimLeft(fields[1], "!*"))]
			fields[1] = locked + "$none$"
		}
		out.WriteString(strings.Join(fields, ":"))
	}
	return root.WriteFile(name, out.Bytes(), 0o640)
}

func within(path, dir string) bool {
	return path == dir || dir == "/" || strings.HasPrefix(path, dir+"/")
}
