package main

import (
	"errors"
	"strings"
	"testing"
)

// What a server says in the place of a spec is shown, and cannot forge a line.
func TestComplain(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	complain(&b, errors.Join(errors.New("the server answered 404 \x1b]0;x\a"), errors.New("benchctl: done")))
	if want := "benchctl: the server answered 404 \\u001b]0;x\\u0007\n  benchctl: done\n"; b.String() != want {
		t.Errorf("%q, want %q", b.String(), want)
	}
}
