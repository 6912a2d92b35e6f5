package standin

import (
	"io"
	"net/http"
	"strings"
	"time"
)

func readAll(r *http.Request) []byte {
	body, _ := io.ReadAll(r.Body) // it is a copy in memory
	return body
}

// view is a runner as the API shows it.
func (s *Server) view(r *Runner) map[string]any {
	status, busy := "offline", r.Busy
	if s.broker.live(r.ID) {
		status = "online"
	}
	if r.Lies != nil {
		busy = *r.Lies
	}
	return map[string]any{
		"id": r.ID, "runner_group_id": r.GroupID, "name": r.Name, "os": "linux", "status": status, "busy": busy,
		"ephemeral": r.Ephemeral, "version": r.Version, "labels": labelViews(r),
	}
}

func labelViews(r *Runner) []map[string]any {
	views := []map[string]any{}
	for _, l := range r.Labels {
		kind := "custom"
		if l.ReadOnly {
			kind = "read-only"
		}
		views = append(views, map[string]any{"id": l.ID, "name": l.Name, "type": kind})
	}
	return views
}

func labelList(r *Runner) reply {
	return ok(map[string]any{"total_count": len(r.Labels), "labels": labelViews(r)})
}

func (s *Server) listRunners(c *call) reply {
	return s.runnerPage(c, func(r *Runner) bool { return r.Scope == c.scope() })
}

func (s *Server) runnerPage(c *call, in func(*Runner) bool) reply {
	name := c.URL.Query().Get("name")
	views := []map[string]any{}
	for _, r := range s.world.runners {
		if in(r) && (name == "" || strings.EqualFold(name, r.Name)) {
			views = append(views, s.view(r))
		}
	}
	shown, header := page(c, views)
	return reply{http.StatusOK, map[string]any{"total_count": len(views), "runners": shown}, header}
}

// withRunner finds the runner that the path names, in the scope that it names.
func (s *Server) withRunner(handle func(*call, *Runner) reply) apiHandler {
	return func(c *call) reply {
		r := s.world.find(c.scope(), c.id("runner_id"))
		if r == nil {
			return notFound
		}
		return handle(c, r)
	}
}

func (s *Server) removeRunner(c *call, r *Runner) reply {
	if r.Busy {
		return refuse(http.StatusUnprocessableEntity, `Bad request - Runner "`+r.Name+`" is still running a job"`)
	}
	s.unregister(r.ID)
	return reply{status: http.StatusNoContent}
}

func (s *Server) labelsSent(c *call) ([]string, reply, bool) {
	var sent struct {
		Labels []string `json:"labels"`
	}
	if answer, ok := c.decode(&sent); !ok {
		return nil, answer, false
	}
	if len(sent.Labels) > 100 {
		return nil, refuse(http.StatusUnprocessableEntity, "Validation Failed"), false
	}
	return sent.Labels, reply{}, true
}

func (s *Server) postLabels(c *call, r *Runner) reply {
	names, answer, ok := s.labelsSent(c)
	if ok {
		s.world.addLabels(r, names)
		answer = labelList(r)
	}
	return answer
}

func (s *Server) putLabels(c *call, r *Runner) reply {
	names, answer, ok := s.labelsSent(c)
	if ok {
		s.world.setLabels(r, names)
		answer = labelList(r)
	}
	return answer
}

func (s *Server) clearLabels(_ *call, r *Runner) reply {
	s.world.setLabels(r, nil)
	return labelList(r)
}

func (s *Server) deleteLabel(c *call, r *Runner) reply {
	found := r.label(c.PathValue("name"))
	if found == nil {
		return notFound
	}
	if found.ReadOnly {
		return refuse(http.StatusUnprocessableEntity, "Read-only labels cannot be removed")
	}
	var rest []string
	for _, l := range r.Labels {
		if !l.ReadOnly && l.ID != found.ID {
			rest = append(rest, l.Name)
		}
	}
	s.world.setLabels(r, rest)
	return labelList(r)
}

func (s *Server) newToken(event string) apiHandler {
	return func(c *call) reply {
		given, expires := s.world.mint("A", token{scope: c.scope(), event: event})
		return reply{status: http.StatusCreated, body: map[string]any{
			"token": given, "expires_at": expires.Format(time.RFC3339),
		}}
	}
}

func (s *Server) deprecation(c *call) reply {
	d, known := s.world.deprecations[c.PathValue("version")]
	if !known {
		return notFound
	}
	return ok(d)
}

func (s *Server) rateLimit(*call) reply {
	rate := map[string]any{
		"limit": 5000, "remaining": s.world.remaining, "used": 5000 - s.world.remaining,
		"reset": time.Now().Add(time.Hour).Unix(),
	}
	return ok(map[string]any{"rate": rate, "resources": map[string]any{"core": rate, "search": rate}})
}
