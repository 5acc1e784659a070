package cache

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"

	"github.com/promptd/promptd/internal/value"
)

// Key names one answer: the SHA-256 of its canonical request, and the team whose it is. Keys are comparable; the zero Key names
// nothing.
type Key struct {
	team string
	sum  [sha256.Size]byte
}

// Team gives the team whose answer it is.
func (k Key) Team() string { return k.team }

// String gives the key as its callers see it (cache_key): 64 hexadecimal digits, without the team.
func (k Key) String() string { return hex.EncodeToString(k.sum[:]) }

// Sum gives the hash.
func (k Key) Sum() [sha256.Size]byte { return k.sum }

// IsZero says whether the key is the zero Key.
func (k Key) IsZero() bool { return k == Key{} }

// ParseKey reads what String wrote, for the team that asks. A key of another team's answer becomes a key that nothing is stored under.
func ParseKey(team, text string) (Key, error) {
	k := Key{team: team}
	if len(text) != 2*len(k.sum) {
		return Key{}, fmt.Errorf("cache key has %d characters, want %d", len(text), 2*len(k.sum))
	}
	if _, err := hex.Decode(k.sum[:], []byte(text)); err != nil {
		return Key{}, fmt.Errorf("cache key is not hexadecimal: %w", err)
	}
	return k, nil
}

// domain separates these hashes from all others; the digit counts changes of the encoding.
const domain = "promptd answer 1"

// The kinds of field, so that no two values of different kinds are ever encoded alike.
const (
	kindText  = 't'
	kindBool  = 'b'
	kindInt   = 'i'
	kindUnset = 'u'
)

// Builder makes a Key out of named fields. Each name and each value is written with its length, so that no two different lists
// of fields give the same bytes: "ab"+"c" is not "a"+"bc", an absent field is not an empty one.
//
// The order of the fields counts, so one place makes a request's key, always in the same order. What belongs in is everything
// that can change the answer: the normalised prompt or messages, the schema's content hash, the template version, the model class
// or pin, those options that change the answer, and the evaluator's version. The team is in from the start.
type Builder struct {
	team string
	buf  []byte
}

// NewBuilder starts a key for a team. The size is an estimate of the bytes of all names and values: where it suffices, the whole
// key costs one allocation.
func NewBuilder(team string, size int) Builder {
	const overhead = 512 // About 24 fields with their lengths.
	b := Builder{team: team, buf: make([]byte, 0, size+len(team)+overhead)}
	b.field(domain, kindText, len(team))
	b.buf = append(b.buf, team...)
	return b
}

// Text adds a text field.
func (b *Builder) Text(name, value string) {
	b.field(name, kindText, len(value))
	b.buf = append(b.buf, value...)
}

// Bytes adds a field of bytes; it hashes as Text of the same bytes.
func (b *Builder) Bytes(name string, value []byte) {
	b.field(name, kindText, len(value))
	b.buf = append(b.buf, value...)
}

// Bool adds a yes or no.
func (b *Builder) Bool(name string, value bool) {
	b.field(name, kindBool, 1)
	if value {
		b.buf = append(b.buf, 1)
		return
	}
	b.buf = append(b.buf, 0)
}

// Int adds a whole number. Numbers with a fraction are added as their text.
func (b *Builder) Int(name string, value int64) {
	var digits [20]byte
	text := strconv.AppendInt(digits[:0], value, 10)
	b.field(name, kindInt, len(text))
	b.buf = append(b.buf, text...)
}

// Unset adds a field that was left out, which is different from an empty one.
func (b *Builder) Unset(name string) { b.field(name, kindUnset, 0) }

// Key gives the key of all fields added so far. The builder can be used further.
func (b *Builder) Key() Key {
	return Key{team: b.team, sum: sha256.Sum256(b.buf)}
}

func (b *Builder) field(name string, kind byte, size int) {
	b.buf = binary.BigEndian.AppendUint32(b.buf, uint32(len(name))) //nolint:gosec // Names are constants of a few bytes.
	b.buf = append(b.buf, name...)
	b.buf = append(b.buf, kind)
	b.buf = binary.BigEndian.AppendUint64(b.buf, uint64(size)) //nolint:gosec // A length is never negative.
}

// CanonicalJSON gives one spelling for all texts of the same JSON value: keys sorted, no white space, strings unescaped. The digits
// of numbers stay exactly as they are: RFC 8785 would fold 9007199254740993 into 9007199254740992, and two requests with
// different answers would share one key. So 1.0 and 1 have different keys, which costs a hit and never a wrong answer.
// The source is read strictly; the error is a *value.SyntaxError. Who has a value.Value at hand uses its AppendCanonical, which
// gives the same bytes.
func CanonicalJSON(src []byte) ([]byte, error) {
	v, err := value.Decode(src, value.Limits{})
	if err != nil {
		return nil, fmt.Errorf("canonical JSON: %w", err)
	}
	return v.AppendCanonical(make([]byte, 0, len(src))), nil
}
