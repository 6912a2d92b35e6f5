package lab

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os/exec"
	"path"
	"strings"
	"time"
)

// QEMUOptions say what virtual machine to make.
type QEMUOptions struct {
	// Hosts are names added to /etc/hosts, and their addresses.
	Hosts map[string]string
	// CA are certificates (PEM) that the machine shall trust.
	CA []byte
	// Forward are TCP addresses (127.A.B.C:PORT) on this host's loopback
	// that the machine finds at the same address on its own.
	Forward []string
}

// A VM is a virtual machine: Debian 12 on two CPUs with a kernel of its own
// and the kernel's acpi-cpufreq driver. There is no hardware help (KVM is not
// used), so it is about ten times slower than a [Machine].
type VM struct {
	lab      *Lab
	cell     *cell
	image    string
	socket   net.Listener
	forwards []net.Listener
	console  console
	runs     counter

	qemu  *exec.Cmd
	done  chan struct{}
	agent *agent
}

// BootQEMU makes a virtual machine and waits until it is up. The error wraps
// that of [NeedsQEMU] when something is not installed.
func (l *Lab) BootQEMU(ctx context.Context, opt QEMUOptions) (*VM, error) {
	if err := NeedsQEMU(); err != nil {
		return nil, err
	}
	image, err := l.image(ctx)
	if err != nil {
		return nil, err
	}
	cell, err := newCell()
	if err != nil {
		return nil, fmt.Errorf("cannot make a virtual machine: %w", err)
	}
	v := &VM{lab: l, cell: cell, image: image}
	for _, step := range []func() error{
		func() error { return v.prepare(ctx) },
		func() error { return v.Start(ctx) },
		func() error { return v.introduce(ctx, opt) },
	} {
		if err := step(); err != nil {
			return nil, errors.Join(err, v.Close())
		}
	}
	return v, nil
}

// prepare makes the machine's disk, a layer over the image, and the socket
// that QEMU connects to. Both are in memory and go with the cell.
func (v *VM) prepare(ctx context.Context) (err error) {
	for _, argv := range [][]string{
		{"mount", "-t", "tmpfs", "benchctl-lab", v.cell.stage},
		{"qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", v.image + "/disk.img", v.cell.stage + "/disk.qcow2"},
	} {
		if err := v.cell.run(ctx, argv...); err != nil {
			return fmt.Errorf("cannot make a virtual machine: %w", err)
		}
	}
	v.socket, err = net.Listen("unix", v.cell.path(v.cell.stage+"/agent"))
	return err
}

// Start switches the machine on and waits until it is up.
func (v *VM) Start(ctx context.Context) error {
	v.qemu = v.cell.command(context.Background(), "qemu-system-x86_64", "-machine", "pc", "-accel", "tcg,thread=multi",
		"-cpu", "Nehalem", "-smp", "2", "-m", "2048", "-nodefaults", "-display", "none", "-monitor", "none", "-serial", "stdio",
		"-acpitable", "file="+v.image+"/pss.aml",
		"-kernel", v.image+"/vmlinuz", "-initrd", v.image+"/initrd.img",
		"-append", "root=/dev/vda rw console=ttyS0 panic=-1 quiet net.ifnames=0",
		"-drive", "file="+v.cell.stage+"/disk.qcow2,if=virtio,format=qcow2,cache=unsafe",
		"-netdev", "user,id=net", "-device", "virtio-net-pci,netdev=net,romfile=",
		"-device", "virtio-rng-pci", "-device", "virtio-serial-pci",
		"-chardev", "socket,id=agent,path="+v.cell.stage+"/agent", "-device", "virtserialport,chardev=agent,name=benchctl.lab")
	v.qemu.Stdout, v.qemu.Stderr = &v.console, &v.console
	start := time.Now()
	if err := v.qemu.Start(); err != nil {
		return fmt.Errorf("cannot start QEMU: %w", err)
	}
	v.done = make(chan struct{})
	go func(qemu *exec.Cmd, done chan struct{}) {
		qemu.Wait()
		close(done)
	}(v.qemu, v.done)
	if err := v.connect(ctx); err != nil {
		return err
	}
	if err := v.ready(ctx, 1); err != nil {
		return err
	}
	v.lab.logf("lab: the virtual machine is up after %s", time.Since(start).Round(100*time.Millisecond))
	return nil
}

// connect takes QEMU's connection from the machine's serial port.
func (v *VM) connect(ctx context.Context) error {
	accepted := make(chan net.Conn, 1)
	go func() {
		if conn, err := v.socket.Accept(); err == nil {
			accepted <- conn
		}
	}()
	select {
	case conn := <-accepted:
		v.agent = newAgent(conn)
		return nil
	case <-v.done:
		return fmt.Errorf("QEMU ended at once: %s", tail(v.console.String()))
	case <-ctx.Done():
		return fmt.Errorf("QEMU did not start in time: %w", ctx.Err())
	}
}

// ready waits until the machine has booted so many times and all that its boot
// starts has been started.
func (v *VM) ready(ctx context.Context, boots int) error {
	for {
		n, next, err := v.agent.generation()
		if err != nil {
			return fmt.Errorf("the virtual machine is down: %s", tail(v.console.String()))
		}
		if n >= boots {
			break
		}
		select {
		case <-next:
		case <-ctx.Done():
			return fmt.Errorf("the virtual machine was not up in time: %w; its console ends: %s", ctx.Err(), tail(v.console.String()))
		}
	}
	_, err := v.agent.do(ctx, "systemctl is-system-running --wait", nil)
	return err
}

// Run runs a program in the machine as root; see [Machine.Run].
func (v *VM) Run(ctx context.Context, argv ...string) (Result, error) {
	return v.Do(ctx, Command{Argv: argv})
}

// RunAs is Run as another user.
func (v *VM) RunAs(ctx context.Context, user string, argv ...string) (Result, error) {
	return v.Do(ctx, Command{Argv: argv, User: user})
}

// Do runs a command as a service of the machine; see [Machine.Do].
func (v *VM) Do(ctx context.Context, c Command) (Result, error) {
	unit := fmt.Sprintf("lab-run-%d.service", v.runs.next())
	script := "exec " + shellQuote(unitArgs(unit, c)...)
	if c.Env != nil {
		if err := v.Put(envFile(unit), envText(c.Env), 0o600); err != nil {
			return Result{}, err
		}
		script = shellQuote(unitArgs(unit, c)...) + "; s=$?; rm -f " + envFile(unit) + "; exit $s"
	}
	result, err := killable(ctx, c,
		func(ctx context.Context) (Result, error) { return v.agent.do(ctx, script, c.Stdin) },
		func(ctx context.Context) { v.agent.do(ctx, shellQuote(killUnit(unit)...), nil) })
	if err != nil {
		return result, fmt.Errorf("cannot run %s in the virtual machine: %w", c.Argv[0], err)
	}
	return result, nil
}

// Put writes a file into the machine as root's, with its directories. A link
// in the way is replaced, never followed.
func (v *VM) Put(name string, data []byte, mode fs.FileMode) error {
	script := fmt.Sprintf("set -e; mkdir -p %[1]s; rm -f %[2]s; umask 077; cat >%[2]s; chmod %[3]o %[2]s",
		shellQuote(path.Dir(name)), shellQuote(name), mode.Perm())
	r, err := v.agent.do(context.Background(), script, data)
	if err = errors.Join(err, r.Err()); err != nil {
		return fmt.Errorf("cannot write %s in the virtual machine: %w", name, err)
	}
	return nil
}

// Read returns a file of the machine.
func (v *VM) Read(name string) ([]byte, error) {
	r, err := v.agent.do(context.Background(), "exec cat "+shellQuote(name), nil)
	if err = errors.Join(err, r.Err()); err != nil {
		return nil, fmt.Errorf("cannot read %s in the virtual machine: %w", name, err)
	}
	return []byte(r.Stdout), nil
}

// Reboot reboots the machine and waits until it is up again.
func (v *VM) Reboot(ctx context.Context) error {
	start := time.Now()
	n, _, err := v.agent.generation()
	if err != nil {
		return fmt.Errorf("cannot reboot the virtual machine: %w", ErrDown)
	}
	v.agent.do(ctx, "systemctl --no-block reboot", nil)
	if err := v.ready(ctx, n+1); err != nil {
		return err
	}
	v.lab.logf("lab: the virtual machine is up again after %s", time.Since(start).Round(100*time.Millisecond))
	return nil
}

// Kill cuts the power. The machine can be started again.
func (v *VM) Kill() error {
	if err := v.cell.kill(); err != nil {
		return fmt.Errorf("cannot kill the virtual machine: %w", err)
	}
	if v.done != nil {
		<-v.done
	}
	return nil
}

// Close switches the machine off and deletes it.
func (v *VM) Close() error {
	for _, l := range v.forwards {
		l.Close()
	}
	err := v.Kill()
	if v.socket != nil {
		v.socket.Close()
	}
	return errors.Join(err, v.cell.close())
}

// Console returns the end of what the machine wrote to its console.
func (v *VM) Console() string { return v.console.String() }

// shellQuote makes words that a shell reads as they are.
func shellQuote(words ...string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
	}
	return strings.Join(quoted, " ")
}
