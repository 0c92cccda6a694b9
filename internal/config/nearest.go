package config

import "strings"

// nearest returns the candidate with the smallest edit distance from word, the
// first of equals, or "" if none is near enough to have been meant.
func nearest(word string, candidates []string) string {
	best, least := "", 0
	for _, candidate := range candidates {
		longer := max(len(word), len(candidate))
		if longer > quoteLimit {
			continue // no key is so long, and the distance costs their product
		}
		d := distance(strings.ToLower(word), strings.ToLower(candidate))
		if d <= max(1, longer/3) && (best == "" || d < least) {
			best, least = candidate, d
		}
	}
	return best
}

// distance is how many insertions, deletions, substitutions and swaps of
// neighbours make b out of a, in bytes (the optimal string alignment: the
// distance of Levenshtein, to which a swap would be two).
func distance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		before, last, row = last, row, before
		row[0] = i
		for j := 1; j <= len(b); j++ {
			substitute := last[j-1]
			if a[i-1] != b[j-1] {
				substitute++
			}
			row[j] = min(substitute, last[j]+1, row[j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
	}
	return row[len(b)]
}
