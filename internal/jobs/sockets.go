package jobs

import (
	"bufio"
	"fmt"
	"os"
	"strings"
)

// unread reports whether bytes wait in a TCP socket of a process: a message
// that has arrived and that the process does not know of yet.
func (p proc) unread(pid int) (bool, error) {
	return p.anyTCP(pid, func(columns []string) bool {
		_, queue, _ := strings.Cut(columns[4], ":")
		return strings.Trim(queue, "0") != ""
	})
}

// connected reports whether a process has a TCP socket, in whatever state.
func (p proc) connected(pid int) (bool, error) {
	return p.anyTCP(pid, func([]string) bool { return true })
}

// anyTCP reports whether a TCP socket of a process matches, by its line in the
// tables of the process's own network namespace.
func (p proc) anyTCP(pid int, matches func(columns []string) bool) (bool, error) {
	inodes, err := p.sockets(pid)
	if err != nil {
		return false, err
	}
	for _, table := range []string{"net/tcp", "net/tcp6"} {
		found, err := anyIn(p.path(pid, table), inodes, matches)
		if os.IsNotExist(err) && table == "net/tcp6" {
			continue // a kernel without IPv6
		}
		if err != nil || found {
			return found, err
		}
	}
	return false, nil
}

// sockets lists the inodes of the sockets that a process has open.
func (p proc) sockets(pid int) (map[string]bool, error) {
	dir := p.path(pid, "fd")
	fds, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	inodes := make(map[string]bool)
	for _, fd := range fds {
		target, _ := os.Readlink(dir + "/" + fd.Name())
		if inode, ok := strings.CutPrefix(target, "socket:["); ok {
			inodes[strings.TrimSuffix(inode, "]")] = true
		}
	}
	return inodes, nil
}

// anyIn looks through a table such as /proc/net/tcp, whose fifth column is
// tx_queue:rx_queue in hexadecimal and whose tenth is the socket's inode.
func anyIn(table string, inodes map[string]bool, matches func(columns []string) bool) (bool, error) {
	f, err := os.Open(table)
	if err != nil {
		return false, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Scan() // the heading
	for lines.Scan() {
		columns := strings.Fields(lines.Text())
		if len(columns) < 10 {
			return false, fmt.Errorf("cannot read %s: a line has %d columns", table, len(columns))
		}
		if inodes[columns[9]] && matches(columns) {
			return true, nil
		}
	}
	return false, lines.Err()
}
