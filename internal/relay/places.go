package relay

import (
	"net"
	"net/url"
	"slices"
)

// Place is the HOST:PORT of a URL, and "" when it has none.
func Place(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" {
		return ""
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443", "socks5": "1080", "socks5h": "1080"}[u.Scheme]
	}
	if port == "" {
		return ""
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// Proxies are the places of the proxies that an environment names. net/http
// takes a proxy without a scheme for one of http.
func Proxies(getenv func(string) string) []string {
	var places []string
	for _, name := range []string{"https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY"} {
		value := getenv(name)
		place := Place(value)
		if place == "" && value != "" {
			place = Place("http://" + value)
		}
		if place != "" && !slices.Contains(places, place) {
			places = append(places, place)
		}
	}
	return places
}
