package pause

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/SKaiNET-developers/benchctl/internal/host"
)

// longest is the most that a pause may last by the clock. Beyond it, nobody
// means the clock.
const longest = 366 * 24 * time.Hour

// Length reads how long a pause is to last: 2h, 90m, 2d, 1d12h.
func Length(text string) (time.Duration, error) {
	days, rest, err := cutDays(text)
	var length time.Duration
	if err == nil && rest != "" {
		length, err = time.ParseDuration(rest)
	}
	switch whole := time.Duration(days) * 24 * time.Hour; {
	case err != nil || length < 0:
		return 0, fmt.Errorf("cannot pause for %q: it is no length of time; write it as 2h, 90m or 2d", text)
	case days > 366 || length > longest || whole+length > longest:
		return 0, fmt.Errorf("cannot pause for %q: that is more than a year; leave --for out to pause until somebody resumes", text)
	case whole+length == 0:
		return 0, fmt.Errorf("cannot pause for %q: that is over at once; write it as 2h, 90m or 2d", text)
	default:
		return whole + length, nil
	}
}

// cutDays takes the days off the front of a length, which package time does
// not know.
func cutDays(text string) (days uint64, rest string, err error) {
	before, after, ok := strings.Cut(text, "d")
	if !ok {
		return 0, text, nil
	}
	days, err = strconv.ParseUint(before, 10, 16)
	if errors.Is(err, strconv.ErrRange) {
		return days, after, nil
	}
	return days, after, err
}

// Reason checks why somebody wants a pause: a line that the next person will
// read.
func Reason(words []string) (string, error) {
	const example = `as in: benchctl pause "calibrating the power meter" --for 2h`
	if len(words) == 0 {
		return "", fmt.Errorf("cannot pause without a reason: say why, %s", example)
	}
	reason := line(strings.Join(words, " "))
	if _, err := Length(reason); err == nil && reason != "" {
		return "", fmt.Errorf("cannot pause because of %q: that is a length of time and no reason; say why, %s", reason, example)
	}
	switch n := utf8.RuneCountInString(reason); {
	case n == 0:
		return "", fmt.Errorf("cannot pause without a reason: say why, %s", example)
	case n > MaxReason:
		return "", fmt.Errorf("cannot keep a reason of %d characters: %d are the most; say it in fewer", n, MaxReason)
	}
	return reason, nil
}

// Asker is the account of the person at the keyboard: who typed sudo, else who
// logged in (/proc/self/loginuid, which su and sudo leave alone), else root.
func Asker(r host.Reader, getenv func(string) string) string {
	for _, name := range []string{getenv("SUDO_USER"), getenv("DOAS_USER"), loggedIn(r)} {
		if name != "" && name != "root" {
			return tidy(name, maxBy)
		}
	}
	return "root"
}

// loggedIn is the account that a session began with, "" where none did.
func loggedIn(r host.Reader) string {
	uid, err := r.ReadFile("/proc/self/loginuid")
	if err != nil {
		return ""
	}
	passwd, err := r.ReadFile("/etc/passwd")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(passwd)) {
		fields := strings.Split(line, ":")
		if len(fields) > 2 && fields[2] == strings.TrimSpace(string(uid)) {
			return fields[0]
		}
	}
	return ""
}
