package resources

import (
	"fmt"
	"slices"
	"strings"

	"github.com/SKaiNET-developers/benchctl/internal/host"
	"github.com/SKaiNET-developers/benchctl/internal/originals"
	"github.com/SKaiNET-developers/benchctl/reconcile"
)

// A Leftover is something that a removal left, and how a person removes it.
type Leftover struct {
	What string `json:"what"`
	How  string `json:"how,omitempty"`
}

// Leftovers lists what is left once the resources of a removal were applied.
// self is the running benchctl's own file.
func Leftovers(r host.Reader, f *Setup, removal []reconcile.Resource, self string) ([]Leftover, error) {
	var all []Leftover
	add := func(what, how string) { all = append(all, Leftover{what, how}) }
	for _, res := range removal {
		if n, ok := res.(*noConfig); ok && n.stays() != "" {
			add(n.stays(), "delete it on "+n.page())
		}
	}
	packages, err := NewApt().there(r, f.brought.Packages)
	if err != nil {
		return nil, err
	}
	if len(packages) > 0 {
		add(fmt.Sprintf("%s that benchctl installed", count(len(packages), "package")), "apt-get purge "+strings.Join(packages, " "))
	}
	dirs, err := left(r, with(f.brought.Trees, f.ownDir()...))
	if err != nil {
		return nil, err
	}
	for _, dir := range dirs {
		add(plain(dir), "rm -r "+plain(dir))
	}
	if a, err := r.Account(f.User); f.User != "" && err == nil {
		what, how := "the account "+f.User, "userdel "+f.User
		if f.User != f.brought.Account {
			what += " (home " + plain(a.Home) + ")"
			how = "it was there before benchctl, as far as that is known"
		}
		add(what, how)
	}
	return append(all, ownLeftovers(r, self)...), nil
}

func (f *Setup) ownDir() []string {
	if f.Dir == "" {
		return nil
	}
	return []string{f.Dir}
}

// ownLeftovers are what is left of benchctl itself.
func ownLeftovers(r host.Reader, self string) (all []Leftover) {
	for _, p := range slices.Compact([]string{self, installedBinary}) {
		if there, err := exists(r, p); err == nil && there && p != packagedBinary {
			all = append(all, Leftover{p, "rm " + p})
		}
	}
	purge := "what benchctl remove --purge goes by"
	if there, err := exists(r, self); err == nil && !there {
		purge += "; this benchctl went too, so bring another"
	}
	for p, how := range map[string]string{
		specFile:       "keep it, or rm " + specFile,
		originals.File: "originals of knobs that are not there now: run benchctl revert when they are",
		asideDir:       "what benchctl had moved aside, and whose places are taken",
		broughtFile:    purge,
	} {
		if there, err := exists(r, p); err == nil && there {
			all = append(all, Leftover{p, how})
		}
	}
	slices.SortFunc(all, func(a, b Leftover) int { return strings.Compare(a.What, b.What) })
	return all
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
