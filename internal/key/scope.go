package key

import (
	"encoding/json"
	"fmt"
	"math/bits"
	"strings"

	"github.com/promptd/promptd/internal/fault"
)

// Scope is one thing that a key may do.
type Scope uint16

// The scopes, one bit each.
const (
	Analyze Scope = 1 << iota
	Jobs
	Schemas
	Templates
	Cache
	Usage
	Requests
	Metrics
	Admin

	afterLast
)

// Scopes is a set of scopes.
type Scopes uint16

// The sets that are given without being named.
const (
	// AllScopes holds every scope.
	AllScopes = Scopes(afterLast - 1)
	// UsualScopes are what a key gets that names none: all but admin.
	UsualScopes = AllScopes &^ Scopes(Admin)
)

// scopeNames are the names on the wire, by bit.
func scopeNames() [9]string {
	return [...]string{"analyze", "jobs", "schemas", "templates", "cache", "usage", "requests", "metrics", "admin"}
}

// String gives the scope's name on the wire.
func (s Scope) String() string {
	if bits.OnesCount16(uint16(s)) != 1 || s >= afterLast {
		return "unknown"
	}
	return scopeNames()[bits.TrailingZeros16(uint16(s))]
}

// ScopesOf makes a set.
func ScopesOf(list ...Scope) Scopes {
	var set Scopes
	for _, s := range list {
		set |= Scopes(s)
	}
	return set
}

// ParseScopes reads a set from its names. An unknown name is a fault that lists the known ones.
func ParseScopes(names []string) (Scopes, error) {
	var set Scopes
	for i, name := range names {
		bit, ok := scopeNamed(name)
		if !ok {
			return 0, fault.Invalid(fmt.Sprintf("/scopes/%d", i), "enum", "this scope does not exist",
				"use any of "+strings.Join(AllScopes.Names(), ", "))
		}
		set |= bit
	}
	return set, nil
}

func scopeNamed(name string) (Scopes, bool) {
	for i, known := range scopeNames() {
		if name == known {
			return 1 << i, true
		}
	}
	return 0, false
}

// Has says whether the set holds the scope.
func (s Scopes) Has(one Scope) bool { return s&Scopes(one) != 0 }

// Names lists the set's names in the order of the reference.
func (s Scopes) Names() []string {
	names := make([]string, 0, bits.OnesCount16(uint16(s)))
	for i, name := range scopeNames() {
		if s&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return names
}

// String joins the names with commas, as the command line and the stores write them.
func (s Scopes) String() string { return strings.Join(s.Names(), ",") }

// MarshalJSON writes the names as an array.
func (s Scopes) MarshalJSON() ([]byte, error) { return json.Marshal(s.Names()) }

// UnmarshalJSON reads an array of names.
func (s *Scopes) UnmarshalJSON(b []byte) error {
	var names []string
	if err := json.Unmarshal(b, &names); err != nil {
		return fmt.Errorf("read scopes: %w", err)
	}
	set, err := ParseScopes(names)
	if err != nil {
		return err
	}
	*s = set
	return nil
}
