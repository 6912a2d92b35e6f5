package agent

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// A Watcher hears when a file was written or put in place. It watches the
// directory, since most editors put a new file in the place of the old one.
type Watcher struct {
	file    string
	inotify *os.File
	changed func()
}

// Watch calls changed whenever file was closed after writing, or moved there.
func Watch(file string, changed func()) (*Watcher, error) {
	fd, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("cannot watch %s: %w", file, err)
	}
	w := &Watcher{file: file, inotify: os.NewFile(uintptr(fd), "inotify"), changed: changed}
	if err := w.renew(); err != nil {
		w.inotify.Close()
		return nil, err
	}
	go w.listen()
	return w, nil
}

// renew watches the directory that is there now, should it be another one.
func (w *Watcher) renew() error {
	raw, err := w.inotify.SyscallConn()
	if err != nil {
		return err
	}
	sent := raw.Control(func(fd uintptr) {
		_, err = unix.InotifyAddWatch(int(fd), filepath.Dir(w.file), unix.IN_CLOSE_WRITE|unix.IN_MOVED_TO|unix.IN_ONLYDIR)
	})
	if err = errors.Join(sent, err); err != nil {
		return fmt.Errorf("cannot watch %s: %w", filepath.Dir(w.file), err)
	}
	return nil
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
		if concerns(buf[:n], filepath.Base(w.file)) {
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
