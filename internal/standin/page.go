package standin

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// limits sets the headers of the primary rate limit, which this call used by cost.
func (s *Server) limits(h http.Header, cost int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.world.remaining -= cost
	h.Set("X-RateLimit-Limit", "5000")
	h.Set("X-RateLimit-Remaining", strconv.Itoa(s.world.remaining))
	h.Set("X-RateLimit-Used", strconv.Itoa(5000-s.world.remaining))
	h.Set("X-RateLimit-Reset", strconv.FormatInt(time.Now().Add(time.Hour).Unix(), 10))
	h.Set("X-RateLimit-Resource", "core")
	h.Set("X-GitHub-Request-Id", fmt.Sprintf("0000:%04X", s.world.id()))
	h.Set("X-GitHub-Api-Version-Selected", "2022-11-28")
}

// tokenEnd sets the header that says until when a token is good, for one that
// ends (docs.github.com: token expiration and revocation).
func (s *Server) tokenEnd(h http.Header, given string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at, ends := s.world.ends[given]; ends {
		h.Set("GitHub-Authentication-Token-Expiration", at.UTC().Format("2006-01-02 15:04:05 MST"))
	}
}

// page cuts one page out of a list and adds the Link header, as GitHub does:
// 30 to a page unless asked, 100 at most.
func page[T any](c *call, all []T) ([]T, http.Header) {
	query := c.URL.Query()
	size, _ := strconv.Atoi(query.Get("per_page"))
	number, _ := strconv.Atoi(query.Get("page"))
	if size <= 0 {
		size = 30
	}
	size, number = min(size, 100), max(number, 1)
	last := max((len(all)+size-1)/size, 1)
	link := func(n int, rel string) string {
		query.Set("page", strconv.Itoa(n))
		return fmt.Sprintf("<%s%s?%s>; rel=%q", c.base, c.URL.Path, query.Encode(), rel)
	}
	var links []string
	if number > 1 {
		links = append(links, link(number-1, "prev"), link(1, "first"))
	}
	if number < last {
		links = append(links, link(number+1, "next"), link(last, "last"))
	}
	header := http.Header{}
	if len(links) > 0 {
		header.Set("Link", strings.Join(links, ", "))
	}
	from := min((number-1)*size, len(all))
	return all[from:min(from+size, len(all))], header
}
