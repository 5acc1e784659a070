package shelf

import (
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/schema/compat"
	"github.com/promptd/promptd/internal/value"
)

// Name is a registered name. Its versions are [Version]s.
type Name struct {
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

// Version is one immutable content under a name.
type Version struct {
	Team   key.TeamID
	Name   string
	Number int
	// Hash is the content hash, SHA-256 of its canonical form: the same in any order of members.
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

// The bounds of a name and of a number.
const (
	maxName   = 64
	maxDigits = 9
)

// The patterns of names and references. Names stand in paths, in references and on command lines without quoting, and are the same in every file system: no
// capitals, and neither a dot nor a dash at the beginning.
const (
	NamePattern = `^[a-z0-9][a-z0-9_.-]{0,63}$`
	RefPattern  = `^[a-z0-9][a-z0-9_.-]{0,63}(@[1-9][0-9]{0,8})?$`
)

// NameHint says how a name looks.
const NameHint = "A name has 1 to 64 lower-case letters, digits, dots, dashes and underscores, and begins with a letter or a digit: invoice, or acme.invoice-line."

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

// ParseRef reads name or name@version; its fault has no place yet.
func (k Kind) ParseRef(text string) (Ref, error) {
	name, digits, versioned := strings.Cut(text, "@")
	ref := Ref{Name: name}
	ok := IsName(name)
	if versioned {
		var isNumber bool
		ref.Version, isNumber = number(digits)
		ok = ok && isNumber
	}
	if !ok {
		return Ref{}, fault.Invalid("", "pattern", "this is not a reference to a "+string(k), "Send name or name@version, for example invoice or invoice@3.")
	}
	return ref, nil
}

// ParseNumber reads the number of a version.
func (k Kind) ParseNumber(text string) (int, error) {
	n, ok := number(text)
	if !ok {
		return 0, fault.Invalid("", "format", "the version is not a number from 1 on", "Versions count 1, 2, 3 …; GET /v1/"+k.Many()+"/{name}/versions lists them.")
	}
	return n, nil
}

// number reads digits that begin with another than 0, so that each version has one spelling.
func number(digits string) (int, bool) {
	n, err := strconv.Atoi(digits)
	return n, err == nil && len(digits) <= maxDigits && digits[0] >= '1' && digits[0] <= '9'
}
