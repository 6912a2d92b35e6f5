package notify

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/SKaiNET-developers/benchctl/internal/github/actions"
)

// An issue is one open issue at GitHub for each host that needs somebody: its
// text says what is wrong now, a comment what came and what is over, and it is
// closed when all is. Closed by hand too early, it is opened again after a day.
type issue struct{ *teller }

const issueLimit = time.Minute

func (issue) name() string { return "issue" }

func (issue) limit() time.Duration { return issueLimit }

func (i issue) send(ctx context.Context, due, standing []Notice) (int, error) {
	if i.Issues == nil {
		return 0, errors.New("cannot keep an issue at GitHub: there are no API credentials; set github.tokenFile or github.app in the spec")
	}
	err := i.mirror(ctx, due, standing)
	if errors.Is(err, actions.ErrNotFound) && i.book.Ticket != 0 {
		i.book.Ticket = 0 // deleted or moved away
		err = i.mirror(ctx, due, standing)
	}
	if err != nil {
		return 0, err
	}
	if len(standing) == 0 {
		i.book.Ticket = 0
	}
	return len(due), nil
}

// mirror makes the issue say what is wrong now. What may be repeated without
// harm comes first, so that a failure leads to no second comment.
func (i issue) mirror(ctx context.Context, due, standing []Notice) error {
	title := "benchctl: " + plain(i.state.Host) + " needs attention"
	if i.book.Ticket == 0 {
		old, err := i.Issues.OpenIssue(ctx, title)
		if err != nil {
			return err
		}
		if strings.Contains(old.Body, i.mark()) {
			i.book.Ticket = old.Number
		}
	}
	body, state := i.body(standing), "open"
	if len(standing) == 0 {
		state = "closed"
	}
	switch {
	case i.book.Ticket == 0 && len(standing) == 0:
		return nil
	case i.book.Ticket == 0:
		number, err := i.Issues.CreateIssue(ctx, title, body)
		i.book.Ticket = number
		return err
	}
	if err := i.Issues.SetIssue(ctx, i.book.Ticket, body, state); err != nil {
		return err
	}
	if text := comment(due); text != "" {
		return i.Issues.CommentIssue(ctx, i.book.Ticket, text)
	}
	return nil
}

// mark tells a host's own issue from one that somebody wrote.
func (i issue) mark() string { return "<!-- benchctl " + plain(i.state.Host) + " -->" }

// body is the issue's text.
func (i issue) body(standing []Notice) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", i.mark())
	if len(standing) == 0 {
		fmt.Fprintf(&b, "`%s` is as it should be again.\n", plain(i.state.Host))
	} else {
		fmt.Fprintf(&b, "`%s` needs somebody:\n\n", plain(i.state.Host))
	}
	for _, n := range standing {
		fmt.Fprintf(&b, "* **%s**: %s. Seen since %s.\n  Next: %s.\n", n.Subject, n.what, clock(n.Since), n.Next)
	}
	fmt.Fprintf(&b, "\nbenchctl on that host keeps this issue (%s), and closes it when all of it is over.\n", clock(i.Now))
	return b.String()
}

// comment is what is new: what was never told, and what is over.
func comment(due []Notice) string {
	var lines []string
	for _, n := range due {
		switch {
		case n.State == Resolved:
			lines = append(lines, fmt.Sprintf("* over: %s: %s.", n.Subject, n.what))
		case !n.again:
			lines = append(lines, fmt.Sprintf("* **%s**: %s. Next: %s.", n.Subject, n.what, n.Next))
		}
	}
	return strings.Join(lines, "\n")
}
