package linux

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/SKaiNET-developers/benchctl/internal/host"
)

// Record swaps a file's contents whole without waiting for the disk.
func (m *Machine) Record(path string, data []byte, perm host.Perm) error {
	m.before("record", path)
	lock, err := beside(m.at(path), data, perm, false)
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", path, bare(err))
	}
	defer lock.Close()
	if err := os.Rename(lock.Name(), m.at(path)); err != nil {
		os.Remove(lock.Name())
		return fmt.Errorf("cannot write %s: %w", path, bare(err))
	}
	return nil
}

// AppendLine adds a line to a file in one write(2).
func (m *Machine) AppendLine(path string, line []byte, perm host.Perm) error {
	m.before("record", path)
	f, err := os.OpenFile(m.at(path), os.O_RDWR|os.O_APPEND|os.O_CREATE|unix.O_NOFOLLOW|unix.O_NONBLOCK, perm.Mode)
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", path, bare(err))
	}
	err = appendLine(f, line, perm)
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("cannot write %s: %w", path, bare(err))
	}
	return nil
}

func appendLine(f *os.File, line []byte, perm host.Perm) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return host.ErrHostile
	}
	line = append(append([]byte{}, line...), '\n')
	if info.Size() == 0 {
		if err := give(f, perm); err != nil {
			return err
		}
	} else if last := make([]byte, 1); readLast(f, info.Size(), last) && last[0] != '\n' {
		line = append([]byte{'\n'}, line...)
	}
	_, err = f.Write(line)
	return err
}

func readLast(f *os.File, size int64, last []byte) bool {
	_, err := f.ReadAt(last, size-1)
	return err == nil
}
