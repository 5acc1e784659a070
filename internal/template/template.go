// Package template keeps prompt templates: texts of an operator with typed parameters, a bound schema, default options and stored tests, under a name with
// immutable versions.
//
// It is not for calling models (package pipeline does that with what a template renders to), nor for storage: [Store] is declared here and implemented by
// the stores. It is no programming language either: placeholders and optional sections, nothing that loops or calls.
//
// The main types are [Template], a name with what is kept of it, [Version], one immutable content under that name, [Compiled], a content that can be
// rendered, and [Library], which publishes, resolves, withdraws and restores. Everything belongs to a team: no method finds what another team has published.
//
// How it works: [Compile] reads a content and finds every fault before it is kept: a parameter that is not there or not used, one that may be absent where
// it is used, a test whose parameters do not fit. [Compiled.Render] checks a call's parameters by their JSON Schemas and gives pieces, each either the
// operator's words or data. What carries free text is data, and package prompt fences it; numbers, booleans, dates and values of an enum stand inline,
// since they can't carry an instruction. Versions are compared by their parameters: what called the version before calls the new one.
package template

import (
	"encoding/hex"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/schema/compat"
	"github.com/promptd/promptd/internal/value"
)

// Template is a registered name. Its versions are [Version]s.
type Template struct {
	Team        key.TeamID
	Name        string
	Description string
	// Compatibility is the mode that new versions are held to where the publisher names none.
	Compatibility compat.Mode
	// Owner is the key that published the first version; empty where no keys are wanted.
	Owner key.ID
	// Newest is the highest number that was ever given.
	Newest int
	// Current is the newest version that can be used; 0 where every version is withdrawn.
	Current   int
	CreatedAt time.Time
	// UpdatedAt is when a version was published, withdrawn or restored last, or the description was changed.
	UpdatedAt time.Time
	// WithdrawnAt is zero where the name can be used.
	WithdrawnAt time.Time
	// Revision counts the changes of this name; 0 is a name that does not exist.
	Revision int64
}

// Version is one immutable content under a name.
type Version struct {
	Team   key.TeamID
	Name   string
	Number int
	// Hash is the SHA-256 of the canonical content: the same in any order of members.
	Hash [32]byte
	// Content is what was published, without what belongs to the name.
	Content value.Value
	// Compatibility is the mode that the version was held to when it was published.
	Compatibility compat.Mode
	// Owner is the key that published it; empty where no keys are wanted.
	Owner     key.ID
	CreatedAt time.Time
	// WithdrawnAt is zero where the version itself was not withdrawn. Its name may be.
	WithdrawnAt time.Time
}

// Ref names the version: invoice@3.
func (v *Version) Ref() string { return Ref{v.Name, v.Number}.String() }

// HashText gives the content hash in hexadecimal digits.
func (v *Version) HashText() string { return hex.EncodeToString(v.Hash[:]) }

// Ref is a reference: a name, or a name and a version.
type Ref struct {
	Name string
	// Version is 0 for the newest that can be used.
	Version int
}

// String writes the reference.
func (r Ref) String() string {
	if r.Version == 0 {
		return r.Name
	}
	return r.Name + "@" + strconv.Itoa(r.Version)
}

// The bounds of a name, a number and a description. Names look as those of schemas do.
const (
	maxName        = 64
	maxDigits      = 9
	maxDescription = 2000
)

// The patterns of names and references. Names stand in paths, in references and on command lines without quoting.
const (
	NamePattern = `^[a-z0-9][a-z0-9_.-]{0,63}$`
	RefPattern  = `^[a-z0-9][a-z0-9_.-]{0,63}(@[1-9][0-9]{0,8})?$`
)

// IsName says whether a text can be a name.
func IsName(text string) bool {
	if text == "" || len(text) > maxName || !isLowerOrDigit(text[0]) {
		return false
	}
	for i := range len(text) {
		if c := text[i]; !isLowerOrDigit(c) && c != '_' && c != '.' && c != '-' {
			return false
		}
	}
	return true
}

func isLowerOrDigit(c byte) bool { return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' }

// ParseRef reads name or name@version; its fault has no place yet.
func ParseRef(text string) (Ref, error) {
	name, digits, versioned := strings.Cut(text, "@")
	ref := Ref{Name: name}
	ok := IsName(name)
	if versioned {
		var err error
		ref.Version, err = ParseNumber(digits)
		ok = ok && err == nil
	}
	if !ok {
		return Ref{}, fault.Invalid("", "pattern", "this is not a reference to a template", "Send name or name@version, for example invoice or invoice@3.")
	}
	return ref, nil
}

// ParseNumber reads the number of a version; each has one spelling.
func ParseNumber(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || len(text) > maxDigits || text[0] < '1' || text[0] > '9' {
		return 0, fault.Invalid("", "format", "the version is not a number from 1 on", "Versions count 1, 2, 3 …; GET /v1/templates/{name}/versions lists them.")
	}
	return n, nil
}

// badText says whether a text is too long or holds control characters that no text has.
func badText(text string, most int) bool {
	control := func(r rune) bool { return r < 0x20 && r != '\n' && r != '\t' && r != '\r' || r >= 0x7f && r < 0xa0 }
	return utf8.RuneCountInString(text) > most || strings.ContainsFunc(text, control)
}
