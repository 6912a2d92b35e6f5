package jobs

import (
	"bufio"
	"fmt"
	"os"
	"strings"
)

// unread reports whether bytes wait in a TCP socket of a process: a message
// that has arrived and that the process does not know of yet. The tables are
// those of the process's own network namespace.
func (p proc) unread(pid int) (bool, error) {
	inodes, err := p.sockets(pid)
	if err != nil {
		return false, err
	}
	for _, table := range []string{"net/tcp", "net/tcp6"} {
		waiting, err := unreadIn(p.path(pid, table), inodes)
		if os.IsNotExist(err) && table == "net/tcp6" {
			continue // a kernel without IPv6
		}
		if err != nil || waiting {
			return waiting, err
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

// unreadIn looks through a table such as /proc/net/tcp, whose fifth column is
// tx_queue:rx_queue in hexadecimal and whose tenth is the socket's inode.
func unreadIn(table string, inodes map[string]bool) (bool, error) {
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
		_, queue, _ := strings.Cut(columns[4], ":")
		if inodes[columns[9]] && strings.Trim(queue, "0") != "" {
			return true, nil
		}
	}
	return false, lines.Err()
}
