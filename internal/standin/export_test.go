package standin

// Endpoints lists what the server answers, as METHOD PATTERN.
func (s *Server) Endpoints() []string {
	var list []string
	for _, r := range s.routes {
		list = append(list, r.endpoint)
	}
	return list
}
