package jobs

import (
	"errors"
	"strings"
	"time"
)

// A perfLog is what the perf log says.
type perfLog struct {
	received time.Time            // when the job came that has no Worker yet; zero: there is none
	sent     map[string]time.Time // when which job was given to its Worker
}

// readPerf reads the perf log. Its lines are NAME:TIME, the time in the form
// 2026-11-23T12:03:04.1234567Z (HostContext.WritePerfCounter in the runner).
//
// The log must hold at least one counter. A Listener writes its first at its
// start, so an empty log is one that nobody writes, and no news from it is no
// good news.
func readPerf(log []byte) (perfLog, error) {
	said := perfLog{sent: make(map[string]time.Time)}
	counters := 0
	for line := range strings.Lines(string(log)) {
		name, at, ok := strings.Cut(strings.TrimSpace(line), ":")
		if !ok {
			continue
		}
		when, err := time.Parse(time.RFC3339Nano, at)
		switch announces := announcesJob(name); {
		case announces && err != nil:
			// Nobody knows when; as long as it stands there, it counts.
			said.received = time.Now()
		case announces:
			said.received = when
		case settles(name):
			said.received = time.Time{}
			if job, ok := strings.CutPrefix(name, sending); ok && err == nil {
				said.sent[job] = when
			}
		case err != nil:
			continue
		}
		counters++
	}
	if counters == 0 {
		return perfLog{}, errors.New("it holds no counter")
	}
	return said, nil
}

// harmless are the messages that do not announce a job. Any other may, and an
// update of the runner is no moment to act either.
var harmless = map[string]bool{
	"JobCancellation":     true,
	"JobMetadataMessage":  true,
	"ForceTokenRefresh":   true,
	"RunnerRefreshConfig": true,
}

func announcesJob(counter string) bool {
	kind, ok := strings.CutPrefix(counter, "MessageReceived_")
	return ok && !harmless[kind]
}

// sending begins the counter that names the job whose Worker has been started.
const sending = "RunnerSendingJobToWorker_"

// settles reports whether a counter says that no job is between its message
// and its Worker: the Worker has been started, or nothing had been received.
func settles(counter string) bool {
	return strings.HasPrefix(counter, sending) ||
		strings.HasPrefix(counter, "SentJobToWorker_") ||
		counter == "RunnerProcessStarted" || counter == "SessionCreated"
}
