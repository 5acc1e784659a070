package registry

import (
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/schema/compat"
	"github.com/promptd/promptd/internal/value"
)

// Modes lists what a new version may owe to the one before, in the order of the reference; package compat says what each means. Backward is the default: who
// reads with the new version can read old data.
func Modes() []string {
	return []string{string(compat.Backward), string(compat.Forward), string(compat.Full), string(compat.None)}
}

// Schema is a registered name. Its versions are [Version]s.
type Schema struct {
	Team        key.TeamID
	Name        string
	Description string
	// Compatibility is the mode that new versions are held to where the publisher names none.
	Compatibility compat.Mode
	// Owner is the key that published the first version; empty where no keys are wanted.
	Owner key.ID
	// Newest is the highest number that was ever given.
	Newest int
	// Current is the newest version that can be used; 0 where every version is withdrawn. CurrentHash is its content's.
	Current     int
	CurrentHash [32]byte
	CreatedAt   time.Time
	// UpdatedAt is when something about the name changed last: a version was published, withdrawn or restored, or the description was changed.
	UpdatedAt time.Time
	// WithdrawnAt is zero where the name can be used.
	WithdrawnAt time.Time
	// Revision counts the changes of this name; 0 is a name that does not exist.
	Revision int64
}

// Version is one immutable schema under a name.
type Version struct {
	Team   key.TeamID
	Name   string
	Number int
	// Hash is the content hash, as [schema.Schema.Hash] makes it: the same in any order of members.
	Hash   [32]byte
	Schema value.Value
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

// The bounds of a name, a number and a description.
const (
	maxName        = 64
	maxDigits      = 9
	maxDescription = 2000
)

// NamePattern matches the names that a schema can have. They stand in paths, in references and on command lines without quoting, and are the same in every
// file system: no capitals, and neither a dot nor a dash at the beginning.
const NamePattern = `^[a-z0-9][a-z0-9_.-]{0,63}$`

// RefPattern matches references.
const RefPattern = `^[a-z0-9][a-z0-9_.-]{0,63}(@[1-9][0-9]{0,8})?$`

// IsName says whether a text can be a name.
func IsName(text string) bool {
	if text == "" || len(text) > maxName || !isNameLetter(text[0]) {
		return false
	}
	for i := range len(text) {
		if c := text[i]; !isNameLetter(c) && c != '_' && c != '.' && c != '-' {
			return false
		}
	}
	return true
}

func isNameLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' }

// nameHint says how a name looks.
const nameHint = "A name has 1 to 64 lower-case letters, digits, dots, dashes and underscores, and begins with a letter or a digit: invoice, or acme.invoice-line."

// CheckName says what is wrong with the name of a schema that shall be published.
func CheckName(name string) error {
	if !IsName(name) {
		return fault.Invalid("/name", "pattern", "name is not the name of a schema", nameHint)
	}
	// Their paths are taken: POST /v1/schemas/check.
	if name == "check" || name == "infer" {
		return fault.Invalid("/name", "reserved", "the name "+name+" is taken by the API itself", "Use another name.")
	}
	return nil
}

// ParseRef reads name or name@version.
func ParseRef(text string) (Ref, error) {
	name, digits, versioned := strings.Cut(text, "@")
	ref := Ref{Name: name}
	ok := IsName(name)
	if versioned {
		ref.Version, ok = number(digits, ok)
	}
	if !ok {
		return Ref{}, fault.Invalid("", "pattern", "this is not a reference to a schema", "Send name or name@version, for example invoice or invoice@3.")
	}
	return ref, nil
}

// ParseNumber reads the number of a version.
func ParseNumber(text string) (int, error) {
	n, ok := number(text, true)
	if !ok {
		return 0, fault.Invalid("", "format", "the version is not a number from 1 on", "Versions count 1, 2, 3 …; GET /v1/schemas/{name}/versions lists them.")
	}
	return n, nil
}

// number reads digits that begin with another than 0, so that each version has one spelling.
func number(digits string, ok bool) (int, bool) {
	n, err := strconv.Atoi(digits)
	return n, ok && err == nil && len(digits) <= maxDigits && digits[0] >= '1' && digits[0] <= '9'
}

// checkDescription says what is wrong with a description.
func checkDescription(text string) error {
	bad := func(r rune) bool { return r < 0x20 && r != '\n' && r != '\t' || r >= 0x7f && r < 0xa0 }
	if utf8.RuneCountInString(text) > maxDescription || !utf8.ValidString(text) || strings.ContainsFunc(text, bad) {
		return fault.Invalid("/description", "length", "a description has at most 2,000 characters, none of them a control character", "Keep it to what the schema is for; details belong into the schema's own descriptions.")
	}
	return nil
}

// checkMode says what is wrong with a mode.
func checkMode(m compat.Mode) error {
	if slices.Contains(Modes(), string(m)) {
		return nil
	}
	return fault.Invalid("/compatibility", "enum", "compatibility has a value that it does not take", "Use one of: "+strings.Join(Modes(), ", ")+".")
}
