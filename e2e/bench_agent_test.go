//go:build e2e && bench

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/lab"
	"github.com/SKaiNET-developers/benchctl/internal/standin"
)

const (
	restFor = 3 * time.Minute  // how long a daemon is watched between passes
	spinFor = 20 * time.Second // in which every tick below has its place
	rounds  = 3
)

// agent measures the agent between passes and in them, and what a benchmark
// pinned to a CPU of its own notices of a pass, beside what Puppet and
// ansible-pull do for the same state.
func (b *bench) agent(t *testing.T) string {
	w := b.world.in(t)
	w.program(b.build(t, "./spin"))
	w.agentBegins()
	w.putPuppet()
	w.putPull()
	return w.betweenPasses() + w.ticks()
}

// agentBegins on the host, with no pass due for a day.
func (w *world) agentBegins() {
	w.t.Helper()
	w.put("/etc/benchctl/token", apiToken+"\n", 0o600)
	spec := w.look("cat /etc/benchctl/runner.yaml")
	w.spec(spec + "\ngithub: {tokenFile: /etc/benchctl/token}\nschedule: {cron: \"@every 24h\", splay: 0s}\n")
	w.benchctl(0, "apply", "--yes")
	w.reaches(agentStatus, "in step; next pass")
	w.asked() // what a first pass learns is known now
	w.reaches(agentStatus, "in step; next pass")
}

// putPuppet gives the host a manifest for the state that it is in.
func (w *world) putPuppet() {
	w.t.Helper()
	text, err := os.ReadFile("testdata/bench/site.pp")
	if err != nil {
		w.t.Fatal(err)
	}
	var vars struct {
		Files []string
		Unit  string
	}
	if err := json.Unmarshal([]byte(w.look("cat /opt/bench/vars.json")), &vars); err != nil {
		w.t.Fatal(err)
	}
	head := fmt.Sprintf("$unit = '%s'\n$files = ['%s']\n", vars.Unit, strings.Join(vars.Files, "', '"))
	w.put("/opt/bench/site.pp", head+string(text), 0o644)
	w.sh("puppet apply --detailed-exitcodes /opt/bench/site.pp") // 2 would say that it changed something
}

// putPull makes the playbook one that ansible-pull finds in a repository.
func (w *world) putPull() {
	w.sh(`set -e; export HOME=/root; mkdir /opt/bench/repo; cd /opt/bench/repo; cp ../playbook.yml local.yml
git init -q; git add .; git -c user.name=bench -c user.email=bench@localhost commit -qm one`)
	if said := w.sh("HOME=/root LANG=C.UTF-8 " + strings.Join(pull, " ")); !strings.Contains(said, "changed=0") {
		w.t.Errorf("the playbook pulled is not for this state:\n%s", said)
	}
}

var (
	puppet = []string{"/usr/bin/puppet", "apply", "/opt/bench/site.pp"}
	pull   = []string{"/usr/bin/ansible-pull", "-U", "/opt/bench/repo", "-i", "localhost,", "-e", "@/opt/bench/vars.json"}
)

// idle is what a daemon has taken since it started, and what it holds.
type idle struct {
	rss      float64 // bytes
	switches float64 // of context, of all its threads
	cpu      time.Duration
}

func (w *world) idle(unit string) idle {
	w.t.Helper()
	fields := strings.Fields(w.look(`p=/proc/$(systemctl show -P MainPID ` + unit + `)
awk '/^VmRSS/ {print $2*1024}' $p/status; cat $p/task/*/status | awk '/ctxt_switches/ {n += $2} END {print n}'
cat $p/task/*/schedstat | awk '{n += $1} END {printf "%d", n}'`))
	var n [3]float64
	for i := range n {
		var err error
		if n[i], err = strconv.ParseFloat(fields[i], 64); err != nil {
			w.t.Fatal(err)
		}
	}
	return idle{n[0], n[1], time.Duration(n[2])}
}

// betweenPasses watches the daemons while they have nothing to do.
func (w *world) betweenPasses() string {
	w.look("systemctl start puppet")
	w.reaches("journalctl -q -o cat -u puppet", "Connection to https") // in vain: it waits, and tries again
	rows := [][]string{{"Between passes, watched for " + restFor.String(), "memory", "wake-ups a minute", "CPU time a minute"}}
	units, names := []string{"benchctl", "puppet"}, []string{"the agent of benchctl", "Puppet's, whose server does not answer"}
	var before []idle
	for _, unit := range units {
		before = append(before, w.idle(unit))
	}
	time.Sleep(restFor)
	for i, unit := range units {
		after := w.idle(unit)
		rows = append(rows, []string{names[i], series{after.rss}.mib(),
			fmt.Sprintf("%.1f", (after.switches-before[i].switches)/restFor.Minutes()),
			fmt.Sprintf("%.2f ms", 1e3*(after.cpu-before[i].cpu).Seconds()/restFor.Minutes())})
	}
	w.look("systemctl stop puppet")
	return table(rows)
}

// A tick is what happens when its time has come, with nothing to correct.
type tick struct {
	name   string
	argv   []string
	cpu    func(*world, []string) series // seconds
	taken  series                        // from the loop, in seconds
	length series                        // of the longest pause, in seconds
}

// ticks measures them in turns; those during a job come last, since the job stays.
func (w *world) ticks() string {
	hup := []string{"/bin/kill", "-HUP", w.agentPID()}
	nothing, deferred := &tick{name: "nothing"}, &tick{name: "a pass of the agent that finds a job", argv: hup, cpu: (*world).perPass}
	all := []*tick{nothing, {name: "a pass of the agent", argv: hup, cpu: (*world).perPass},
		{name: "`puppet apply`", argv: puppet, cpu: (*world).perProcess},
		{name: "`ansible-pull`", argv: pull, cpu: (*world).perProcess}}
	for range rounds {
		for _, k := range all {
			w.spin(k)
		}
	}
	rows := [][]string{{"A tick with nothing to correct", "CPU time",
		"taken from a loop pinned to the other CPU, in " + spinFor.String(), "its longest pause"}}
	for _, k := range all {
		rows = append(rows, k.row(w))
	}
	w.waitJob(w.hub.Enqueue(standin.Job{Sleep: time.Hour}), runs)
	w.asked() // the first that finds it says so; the others have nothing new to say
	for range rounds {
		w.spin(deferred)
	}
	return table(append(rows, deferred.row(w)))
}

func (k *tick) row(w *world) []string {
	cpu := ""
	if k.cpu != nil {
		cpu = k.cpu(w, k.argv).ms()
	}
	return []string{k.name, cpu, k.taken.ms(), k.length.ms()}
}

// spin has the loop on the last CPU while the tick goes on wherever it likes.
func (w *world) spin(k *tick) {
	w.t.Helper()
	r, err := w.host.Do(w.t.Context(), lab.Command{
		Argv: append([]string{"/usr/local/bin/spin", w.look("expr $(nproc) - 1"), spinFor.String()}, k.argv...),
		Env:  []string{"HOME=/root", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8"},
	})
	if err != nil || r.Err() != nil {
		w.t.Fatal(err, r.Err())
	}
	var taken struct{ Total, Longest time.Duration }
	if err := json.Unmarshal([]byte(r.Stdout), &taken); err != nil {
		w.t.Fatal(err)
	}
	k.taken = append(k.taken, taken.Total.Seconds())
	k.length = append(k.length, taken.Longest.Seconds())
}

// perPass is the CPU time of the agent's whole control group for each of some passes.
func (w *world) perPass([]string) (all series) {
	for range 2 * rounds {
		before := w.cpu()
		w.asked()
		w.reaches(agentStatus, "; next pass")
		all = append(all, (w.cpu() - before).Seconds())
	}
	return all
}

func (w *world) perProcess(argv []string) series {
	return w.measure(rounds, argv...).cpu()
}
