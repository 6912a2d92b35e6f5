package archive

import (
	"archive/tar"
	"path"
	"strings"
	"unicode/utf8"
)

// entryPath is where an entry lies below the directory, after strip leading
// components were taken off. It is "" for the directory itself.
func entryPath(name string, strip, most int) (string, error) {
	if name == "" || len(name) > most {
		return "", unsound("a path in it is %d bytes long, of at most %d", len(name), most)
	}
	if !utf8.ValidString(name) || strings.ContainsFunc(name, isControl) {
		return "", unsound("the path %q holds what no path should", name)
	}
	if name[0] == '/' {
		return "", unsound("the path %q is absolute", name)
	}
	var parts []string
	for part := range strings.SplitSeq(name, "/") {
		switch {
		case part == "..":
			return "", unsound("the path %q leads upwards", name)
		case len(part) > 255:
			return "", unsound("the path %q has a component longer than 255 bytes", name)
		case part != "" && part != ".":
			parts = append(parts, part)
		}
	}
	return strings.Join(parts[min(strip, len(parts)):], "/"), nil
}

// isControl keeps paths to one line each, in manifests and in messages.
func isControl(r rune) bool { return r < ' ' || r == 0x7f }

// checkTarget refuses a symbolic link that could lead out of the directory.
// Upward steps are allowed at the start alone: there they climb real
// directories, never through another link, so counting them is exact.
func checkTarget(at, target string) error {
	if target == "" || len(target) > 4095 || !utf8.ValidString(target) || strings.ContainsFunc(target, isControl) {
		return unsound("the link %q has a target that no link should: %q", at, target)
	}
	depth, down := strings.Count(at, "/"), false
	for part := range strings.SplitSeq(target, "/") {
		switch part {
		case "..":
			depth--
			if depth < 0 || down {
				return unsound("the link %q leads outside: %q", at, target)
			}
		case "", ".":
		default:
			down = true
		}
	}
	if path.IsAbs(target) {
		return unsound("the link %q leads outside: %q", at, target)
	}
	return nil
}

// saneMode is one of two: nothing of an archive is set-id, sticky, or for
// others to write.
func saneMode(h *tar.Header) uint32 {
	if h.Mode&0o111 != 0 {
		return 0o755
	}
	return 0o644
}
