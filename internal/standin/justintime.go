package standin

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/SKaiNET-developers/benchctl/internal/standin/runner"
)

// justInTime registers an ephemeral runner and gives out its configuration, key
// and all. The labels are those asked for alone; the names of the default ones
// become read-only, as in the example of GitHub's description.
func (s *Server) justInTime(c *call) reply {
	var asked struct {
		Name       string   `json:"name"`
		GroupID    int64    `json:"runner_group_id"`
		Labels     []string `json:"labels"`
		WorkFolder string   `json:"work_folder"`
	}
	if answer, ok := c.decode(&asked); !ok {
		return answer
	}
	groups := s.world.groupsOf(c.scope())
	i := slices.IndexFunc(groups, func(g Group) bool { return g.ID == asked.GroupID })
	if asked.Name == "" || i < 0 || len(asked.Labels) == 0 || len(asked.Labels) > 100 {
		return refuse(http.StatusUnprocessableEntity, "Validation Failed")
	}
	r := s.claim(c.scope(), runner.RegisterRequest{Name: asked.Name})
	if r == nil {
		return refuse(http.StatusConflict, fmt.Sprintf("Already exists - A runner with the name %s already exists.", asked.Name))
	}
	base := services(c.Request)
	if asked.WorkFolder == "" {
		asked.WorkFolder = "_work"
	}
	r.GroupID, r.Ephemeral, r.client = asked.GroupID, true, fmt.Sprintf("client-%d-%d", r.ID, s.world.id())
	encoded, public, err := runner.EncodeJIT(runner.Settings{
		AgentID: r.ID, AgentName: r.Name, PoolID: r.GroupID, PoolName: groups[i].Name,
		ServerURL: base, ServerURLV2: base, GitHubURL: pageOf(c), WorkFolder: asked.WorkFolder,
	}, r.client, base+"oauth2/token")
	if err != nil {
		return refuse(http.StatusInternalServerError, err.Error())
	}
	r.key = publicKey(public)
	s.label(r, kinds(asked.Labels))
	s.world.runners = append(s.world.runners, r)
	s.world.jit = append(s.world.jit, encoded)
	s.broker.wake()
	return reply{status: http.StatusCreated, body: map[string]any{"runner": s.view(r), "encoded_jit_config": encoded}}
}

// kinds tells the default labels from the others.
func kinds(names []string) (labels []runner.Label) {
	for _, name := range names {
		kind := "User"
		if slices.ContainsFunc([]string{"self-hosted", "Linux", "X64"}, func(l string) bool { return strings.EqualFold(l, name) }) {
			kind = "System"
		}
		labels = append(labels, runner.Label{Name: name, Type: kind})
	}
	return labels
}

// pageOf is the address of a scope as a person has it, with the names as the
// caller spelt them.
func pageOf(c *call) string {
	at := origin(c.Request)
	if host, _, _ := strings.Cut(c.Host, ":"); host == HostAPI {
		at = "https://" + HostWeb
	}
	switch {
	case c.PathValue("owner") != "":
		return at + "/" + c.PathValue("owner") + "/" + c.PathValue("repo")
	case c.PathValue("org") != "":
		return at + "/" + c.PathValue("org")
	}
	return at + "/enterprises/" + c.PathValue("enterprise")
}
