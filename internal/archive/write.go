package archive

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"io/fs"
	"os"
	"path"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/SKaiNET-developers/benchctl/internal/host"
)

const (
	workers = 2
	chunks  = 32 // of blockSize, which makes 8 MiB
	queue   = 256
)

// errWriters says that writing failed; wait has the error.
var errWriters = errors.New("a file could not be written")

// writers are the last stage: they create, hash and write regular files. Small
// files come whole, big ones chunk by chunk, and all chunks come from one fixed
// store. Files are taken in order, so the one that still waits for chunks is
// the last, and those before it always give theirs back.
type writers struct {
	root     *os.Root
	uid, gid int
	free     chan []byte
	files    chan *file
	failed   chan struct{} // closed at the first error
	wg       sync.WaitGroup

	mu   sync.Mutex
	err  error
	done []written
}

type file struct {
	place  int // in the manifest
	path   string
	mode   uint32
	size   int64
	chunks chan []byte
}

type written struct {
	file   int
	info   host.Info
	sha256 string
}

func newWriters(root *os.Root, uid, gid int) *writers {
	w := &writers{root: root, uid: uid, gid: gid,
		free:   make(chan []byte, chunks),
		files:  make(chan *file, queue),
		failed: make(chan struct{}),
	}
	for range chunks {
		w.free <- nil
	}
	for range workers {
		w.wg.Go(w.work)
	}
	return w
}

// file hands a regular file to the writers as it is read from r. What r says
// is returned as it is.
func (w *writers) file(place int, at string, mode uint32, size int64, r io.Reader) error {
	f := &file{place: place, path: at, mode: mode, size: size}
	f.chunks = make(chan []byte, min(chunks, size/blockSize+1))
	select {
	case w.files <- f:
	case <-w.failed:
		return errWriters
	}
	defer close(f.chunks)
	for left := size; left > 0; {
		b, err := w.chunk()
		if err != nil {
			return err
		}
		n, err := io.ReadFull(r, b[:min(left, blockSize)])
		f.chunks <- b[:n]
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return err
		}
		left -= int64(n)
	}
	return nil
}

func (w *writers) chunk() ([]byte, error) {
	select {
	case b := <-w.free:
		return whole(b), nil
	case <-w.failed:
		return nil, errWriters
	}
}

// wait ends the writers and returns what they wrote.
func (w *writers) wait() ([]written, error) {
	close(w.files)
	w.wg.Wait()
	return w.done, w.err
}

func (w *writers) work() {
	h := hand{root: w.root, sum: sha256.New()}
	defer h.close()
	for f := range w.files {
		info, err := w.write(&h, f)
		for b := range f.chunks { // after an error: nobody may wait for them
			w.free <- b
		}
		w.mu.Lock()
		if err == nil {
			w.done = append(w.done, written{f.place, info, hex.EncodeToString(h.sum.Sum(nil))})
		} else if w.err == nil {
			w.err = err
			close(w.failed)
		}
		w.mu.Unlock()
	}
}

func (w *writers) write(h *hand, f *file) (host.Info, error) {
	out, err := h.create(f.path, fs.FileMode(f.mode))
	if err != nil {
		return host.Info{}, err
	}
	defer out.Close()
	h.sum.Reset()
	for b := range f.chunks {
		h.sum.Write(b)
		_, err := out.Write(b)
		w.free <- b
		if err != nil {
			return host.Info{}, err
		}
	}
	if f.size > blockSize {
		// Begin to write it back now, beside the inflating, not all at the end.
		unix.SyncFileRange(int(out.Fd()), 0, 0, unix.SYNC_FILE_RANGE_WRITE)
	}
	return w.own(out, fs.FileMode(f.mode))
}

// own gives a file its owner and mode where they are not so already.
func (w *writers) own(out *os.File, mode fs.FileMode) (host.Info, error) {
	info, err := stat(out)
	if err != nil || info.UID == w.uid && info.GID == w.gid && info.Mode == mode {
		return info, err
	}
	if err := out.Chown(w.uid, w.gid); err != nil {
		return info, err
	}
	if err := out.Chmod(mode); err != nil {
		return info, err
	}
	return stat(out)
}

func stat(f *os.File) (host.Info, error) {
	info, err := f.Stat()
	if err != nil {
		return host.Info{}, err
	}
	return infoOf(info), nil
}

func infoOf(info fs.FileInfo) host.Info {
	st := info.Sys().(*syscall.Stat_t)
	return host.Info{
		Perm:  host.Perm{Mode: info.Mode() &^ fs.ModeType, UID: int(st.Uid), GID: int(st.Gid)},
		Type:  info.Mode().Type(),
		Size:  info.Size(),
		Inode: st.Ino,
		Mtime: info.ModTime(),
		Ctime: time.Unix(st.Ctim.Unix()),
	}
}

// A hand is what one writer keeps: the hash, and the last directory open, as
// an archive's files come directory by directory.
type hand struct {
	root, dir *os.Root
	at        string
	sum       hash.Hash
}

func (h *hand) create(at string, mode fs.FileMode) (*os.File, error) {
	parent, name := path.Split(at)
	if h.dir == nil || h.at != parent {
		h.close()
		dir, err := h.root.OpenRoot(path.Join(".", parent))
		if err != nil {
			return nil, err
		}
		h.dir, h.at = dir, parent
	}
	return h.dir.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
}

func (h *hand) close() {
	if h.dir != nil {
		h.dir.Close()
		h.dir = nil
	}
}
