package agent

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"
)

// A Watcher hears when a file was written or put in place. It watches the
// directory, since most editors put a new file in the place of the old one. That
// of one file in the directory of another is heard, too.
type Watcher struct {
	files   []string
	inotify *os.File
	changed func()
}

// Watch calls changed whenever one of the files was closed after writing, or
// moved there.
func Watch(files []string, changed func()) (*Watcher, error) {
	fd, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("cannot watch the spec: %w", err)
	}
	w := &Watcher{files: files, inotify: os.NewFile(uintptr(fd), "inotify"), changed: changed}
	if err := w.renew(); err != nil {
		w.inotify.Close()
		return nil, err
	}
	go w.listen()
	return w, nil
}

// renew watches the directories that are there now, should they be others.
func (w *Watcher) renew() error {
	raw, err := w.inotify.SyscallConn()
	if err != nil {
		return err
	}
	var failed []error
	sent := raw.Control(func(fd uintptr) {
		for _, file := range w.files {
			if _, err := unix.InotifyAddWatch(int(fd), filepath.Dir(file), unix.IN_CLOSE_WRITE|unix.IN_MOVED_TO|unix.IN_ONLYDIR); err != nil {
				failed = append(failed, fmt.Errorf("cannot watch %s: %w", filepath.Dir(file), err))
			}
		}
	})
	return errors.Join(append(failed, sent)...)
}

// Close ends it.
func (w *Watcher) Close() { w.inotify.Close() }

// listen reads events until the watcher is closed.
func (w *Watcher) listen() {
	buf := make([]byte, 4096)
	for {
		n, err := w.inotify.Read(buf)
		if err != nil {
			return
		}
		if slices.ContainsFunc(w.files, func(file string) bool { return concerns(buf[:n], filepath.Base(file)) }) {
			w.changed()
		}
	}
}

// concerns reports whether one of the events names the file, or says that
// events were lost. An event is a watch, a mask, a cookie, the length of a name,
// each of four bytes, and the name, padded with zeros: inotify(7).
func concerns(events []byte, name string) bool {
	for len(events) >= unix.SizeofInotifyEvent {
		mask := binary.NativeEndian.Uint32(events[4:])
		length := int(binary.NativeEndian.Uint32(events[12:]))
		events = events[unix.SizeofInotifyEvent:]
		length = min(length, len(events))
		if string(bytes.TrimRight(events[:length], "\x00")) == name || mask&unix.IN_Q_OVERFLOW != 0 {
			return true
		}
		events = events[length:]
	}
	return false
}
