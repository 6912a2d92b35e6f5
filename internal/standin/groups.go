package standin

import (
	"fmt"
	"net/http"
)

func groupView(c *call, g Group) map[string]any {
	address := fmt.Sprintf("%s%s/%d", c.base, c.URL.Path, g.ID)
	return map[string]any{
		"id": g.ID, "name": g.Name, "visibility": "all", "default": g.ID == 1, "inherited": false,
		"allows_public_repositories": true, "runners_url": address + "/runners",
		"restricted_to_workflows": false, "selected_workflows": []string{},
	}
}

func (s *Server) listGroups(c *call) reply {
	all := s.world.groupsOf(c.scope())
	shown, header := page(c, all)
	views := []map[string]any{}
	for _, g := range shown {
		views = append(views, groupView(c, g))
	}
	return reply{http.StatusOK, map[string]any{"total_count": len(all), "runner_groups": views}, header}
}

func (s *Server) withGroup(handle func(*call, Group) reply) apiHandler {
	return func(c *call) reply {
		for _, g := range s.world.groupsOf(c.scope()) {
			if g.ID == c.id("runner_group_id") {
				return handle(c, g)
			}
		}
		return notFound
	}
}

func (s *Server) groupRunners(c *call, g Group) reply {
	return s.runnerPage(c, func(r *Runner) bool { return r.Scope == c.scope() && r.GroupID == g.ID })
}

func (s *Server) joinGroup(c *call, g Group) reply { return s.moveTo(c, g.ID) }

func (s *Server) leaveGroup(c *call, _ Group) reply { return s.moveTo(c, 1) }

func (s *Server) moveTo(c *call, group int64) reply {
	r := s.world.find(c.scope(), c.id("runner_id"))
	if r == nil {
		return notFound
	}
	r.GroupID = group
	return reply{status: http.StatusNoContent}
}
