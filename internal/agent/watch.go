package agent

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// A Watcher hears when a file was written or put in place. It watches the
// directory, since most editors put a new file in the place of the old one. That
// of one file in the directory of another is heard, too.
type Watcher struct {
	files   []string
	gone    atomic.Pointer[string] // see Gone
	inotify *os.File
	changed func()
}

// What happens to a file that is written, and to one that goes.
const (
	written = unix.IN_CLOSE_WRITE | unix.IN_MOVED_TO
	deleted = unix.IN_DELETE | unix.IN_MOVED_FROM
)

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

// Gone has one more file heard of: when it goes. The one that was named before is
// not any more, and with "" there is none.
func (w *Watcher) Gone(file string) error {
	w.gone.Store(&file)
	return w.renew()
}

// leaves is the file of Gone.
func (w *Watcher) leaves() string {
	if file := w.gone.Load(); file != nil {
		return *file
	}
	return ""
}

// renew watches the directories that are there now, should they be others.
func (w *Watcher) renew() error {
	raw, err := w.inotify.SyscallConn()
	if err != nil {
		return err
	}
	var failed []error
	sent := raw.Control(func(fd uintptr) {
		add := func(file string, mask uint32) {
			if _, err := unix.InotifyAddWatch(int(fd), filepath.Dir(file), mask|unix.IN_ONLYDIR|unix.IN_MASK_ADD); err != nil {
				failed = append(failed, fmt.Errorf("cannot watch %s: %w", filepath.Dir(file), err))
			}
		}
		for _, file := range w.files {
			add(file, written)
		}
		if file := w.leaves(); file != "" {
			add(file, deleted)
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
		if slices.ContainsFunc(w.files, func(file string) bool { return concerns(buf[:n], file, written) }) || concerns(buf[:n], w.leaves(), deleted) {
			w.changed()
		}
	}
}

// concerns reports whether one of the events is one of those in kinds and names
// the file, or says that events were lost. An event is a watch, a mask, a cookie,
// the length of a name, each of four bytes, and the name, padded with zeros:
// inotify(7).
func concerns(events []byte, file string, kinds uint32) bool {
	name := filepath.Base(file)
	for len(events) >= unix.SizeofInotifyEvent {
		mask := binary.NativeEndian.Uint32(events[4:])
		length := int(binary.NativeEndian.Uint32(events[12:]))
		events = events[unix.SizeofInotifyEvent:]
		length = min(length, len(events))
		if string(bytes.TrimRight(events[:length], "\x00")) == name && mask&kinds != 0 || mask&unix.IN_Q_OVERFLOW != 0 {
			return true
		}
		events = events[length:]
	}
	return false
}
