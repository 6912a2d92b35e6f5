package resources

import "testing"

func TestReportsShowNoSecret(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, have, want, showsHave, showsWant string }{
		{"LANG", "C", "C.UTF-8", "C", "C.UTF-8"},
		{"DEPLOY_TOKEN", "abc", "", "(not shown)", ""},
		{"AWS_SECRET_ACCESS_KEY", "abc", "def", "(not shown) (another)", "(not shown)"},
		{"SSH_KEY", "abc", "def", "(not shown) (another)", "(not shown)"},
		{"KEYBOARD", "us", "de", "us", "de"},
		{"https_proxy", "http://me:pw@proxy:3128", "http://proxy:3128", "http://me:...@proxy:3128", "http://proxy:3128"},
		{"https_proxy", "http://me:old@proxy", "http://me:new@proxy", "http://me:...@proxy (another)", "http://me:...@proxy"},
		{"CACHE", "http://cache:8080/a@b", "", "http://cache:8080/a@b", ""},
	} {
		if have, want := discreet(tt.name, tt.have, tt.want); have != tt.showsHave || want != tt.showsWant {
			t.Errorf("%s: %q -> %q, want %q -> %q", tt.name, have, want, tt.showsHave, tt.showsWant)
		}
	}
}
