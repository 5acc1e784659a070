package config

import (
	"fmt"
	"sort"
	"strings"
)

// Place says where a value was given.
type Place struct {
	// Source is the file, the variable or the flag.
	Source string
	// Line and Column count from 1; 0 where there are none, as in a flag.
	Line, Column int
}

// String gives file:line:column, or the source alone.
func (p Place) String() string {
	switch {
	case p.Line > 0 && p.Column > 0:
		return fmt.Sprintf("%s:%d:%d", p.Source, p.Line, p.Column)
	case p.Line > 0:
		return fmt.Sprintf("%s:%d", p.Source, p.Line)
	}
	return p.Source
}

// Problem is one fault or one warning of a configuration. Its texts never hold a secret.
type Problem struct {
	Place
	// Path is the key, such as providers[0].base_url; empty where it belongs to no key.
	Path string
	// Message says what is wrong.
	Message string
	// Hint says what to do about it; may be empty.
	Hint string
}

// String gives place, key, message and hint in one line.
func (p Problem) String() string {
	var b strings.Builder
	if s := p.Place.String(); s != "" {
		b.WriteString(s + ": ")
	}
	if p.Path != "" {
		b.WriteString(p.Path + ": ")
	}
	b.WriteString(p.Message)
	if p.Hint != "" {
		b.WriteString("; " + p.Hint)
	}
	return b.String()
}

// Error is a configuration that can't be used: every fault that was found, in the order of the sources.
type Error struct{ Problems []Problem }

// Error gives a line for each fault.
func (e *Error) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

func sortProblems(ps []Problem) {
	sort.SliceStable(ps, func(i, j int) bool {
		a, b := ps[i].Place, ps[j].Place
		if a.Source != b.Source {
			return false
		}
		if a.Line != b.Line {
			return a.Line < b.Line
		}
		return a.Column < b.Column
	})
}

// nearest gives the candidate that a mistyped word most likely meant, or "".
func nearest(word string, candidates []string) string {
	best, bound := "", min(1+len(word)/3, 3)
	word = strings.ToLower(strings.ReplaceAll(word, "-", "_"))
	for _, c := range candidates {
		if d := distance(word, strings.ReplaceAll(strings.ToLower(c), "-", "_"), bound); d < bound || d == bound && best == "" {
			best, bound = c, d
		}
	}
	return best
}

// distance counts insertions, deletions, replacements and swaps of neighbours; above the bound it may give any number above it.
func distance(a, b string, bound int) int {
	if len(a) > 64 || len(b) > 64 || len(a)-len(b) > bound || len(b)-len(a) > bound {
		return bound + 1
	}
	before, last, next := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		next[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			next[j] = min(last[j]+1, next[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				next[j] = min(next[j], before[j-2]+1)
			}
		}
		before, last, next = last, next, before
	}
	return last[len(b)]
}

func didYouMean(word string, candidates []string) string {
	if n := nearest(word, candidates); n != "" {
		return "did you mean " + n + "?"
	}
	return ""
}

func oneOf(values []string) string {
	switch len(values) {
	case 0:
		return "nothing"
	case 1:
		return values[0]
	}
	return strings.Join(values[:len(values)-1], ", ") + " or " + values[len(values)-1]
}
