package spec

import (
	"fmt"
	"slices"
	"strings"
)

// nearest returns the word that was probably meant, or "".
func nearest(typed string, words []string) string {
	typed = strings.ToLower(typed)
	best, least := "", 1+min(2, len(typed)/3)
	for _, word := range slices.Sorted(slices.Values(words)) {
		if d := distance(typed, strings.ToLower(word)); d < least {
			best, least = word, d
		}
	}
	return best
}

// suggest is the next step after a word that is none of those known.
func suggest(typed, what string, words []string) string {
	if word := nearest(typed, words); word != "" {
		return fmt.Sprintf("did you mean %s?", word)
	}
	return what + ": " + strings.Join(words, ", ")
}

// distance counts the letters to insert, remove, replace or swap with their
// neighbour to make one word of the other (optimal string alignment). Words
// longer than any key are simply far apart.
func distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 64
	}
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			d := min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d = min(d, rows[i-2][j-2]+1)
			}
			rows[i][j] = d
		}
	}
	return rows[len(a)][len(b)]
}
