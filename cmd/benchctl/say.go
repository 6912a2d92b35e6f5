package main

import (
	"fmt"
	"strconv"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/journal"
	"github.com/SKaiNET-developers/benchctl/reconcile"
)

// say tells the journal what a run came to when nobody was there to read it: a
// line for each change and each error, and one for the whole.
func say(line func(journal.Level, journal.Fields, string, ...any), r *reconcile.Report) {
	now := r.Started.Local()
	for _, o := range r.Results {
		if o.Status == reconcile.Unchanged || o.Status == reconcile.Deferred {
			continue
		}
		for _, c := range o.Changes {
			line(levelOf(o, c), changeFields(o, c), "%s", changeLine(o, c, now))
		}
		if o.Error != "" {
			line(levelOf(o, reconcile.Change{}), outcomeFields(o), "%s %s: %s", o.ID, o.Status, clean(o.Error))
		}
		if o.Corrected >= tooOften {
			line(journal.Warning, outcomeFields(o), "%s was corrected %d times in 24 h: something keeps changing it", o.ID, o.Corrected)
		}
	}
	line(journal.Info, journal.Fields{"VERB": r.Verb, "EXIT": strconv.Itoa(r.ExitCode())}, "%s: %s", r.Verb, summary(r))
}

// changeLine is one change for a person.
func changeLine(o reconcile.Outcome, c reconcile.Change, now time.Time) string {
	line := fmt.Sprintf("%s %s: %s: %s -> %s", o.ID, o.Status, clean(c.Field), clean(c.Have), clean(c.Want))
	if c.Corrective {
		line += ", " + drifted(c, now)
	}
	return line
}

func levelOf(o reconcile.Outcome, c reconcile.Change) journal.Level {
	switch {
	case o.Status == reconcile.Failed || o.Status == reconcile.Skipped:
		return journal.Error
	case c.Corrective:
		return journal.Warning
	case o.Status == reconcile.Changed:
		return journal.Notice
	}
	return journal.Info
}

func outcomeFields(o reconcile.Outcome) journal.Fields {
	return journal.Fields{"RESOURCE": o.ID.String(), "STATUS": string(o.Status)}
}

// changeFields are what a change is searched by. They hold what the line says,
// in the same words.
func changeFields(o reconcile.Outcome, c reconcile.Change) journal.Fields {
	f := outcomeFields(o)
	f["FIELD"], f["HAVE"], f["WANT"] = clean(c.Field), clean(c.Have), clean(c.Want)
	f["CORRECTIVE"] = strconv.FormatBool(c.Corrective)
	if c.Since != nil {
		f["SINCE"] = c.Since.UTC().Format(time.RFC3339)
	}
	if c.Cause != "" {
		f["CAUSE"] = clean(c.Cause)
	}
	return f
}
