package key

import (
	"crypto/sha256"
	"fmt"
	"hash/crc32"
	"io"
	"log/slog"
	"math/big"
	"strings"

	"github.com/promptd/promptd/internal/fault"
)

// A secret is the mark, 43 base 62 digits that carry 32 random bytes, and six base 62 digits of a checksum (CRC-32 of what
// stands before it), so that a mistyped or cut secret is refused without a look-up.
const (
	secretMark   = "pd_live_"
	secretRandom = 32
	bodyDigits   = 43
	sumDigits    = 6
	secretLength = len(secretMark) + bodyDigits + sumDigits
	// prefixLength shows six digits of the secret: enough to recognise it, 220 unknown bits remain.
	prefixLength = len(secretMark) + 6
	digits62     = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
)

// Hash is the SHA-256 of a secret: the only form in which secrets are stored and looked up.
type Hash [sha256.Size]byte

// Secret is the text that a caller sends. It does not print: String, Go syntax and slog show its prefix alone.
type Secret struct{ text string }

// newSecret makes a secret out of 32 bytes of the source.
func newSecret(random io.Reader) (Secret, error) {
	var raw [secretRandom]byte
	if _, err := io.ReadFull(random, raw[:]); err != nil {
		return Secret{}, fmt.Errorf("read random bytes: %w", err)
	}
	body := new(big.Int).SetBytes(raw[:]).Text(62)
	text := secretMark + strings.Repeat("0", bodyDigits-len(body)) + body
	sum := checksum(text)
	return Secret{text: text + string(sum[:])}, nil
}

// ParseSecret reads a bearer token. The fault says what a user can see of a wrong one, and never repeats it.
func ParseSecret(token string) (Secret, error) {
	if !strings.HasPrefix(token, secretMark) {
		return Secret{}, fault.New(fault.Unauthorized, "the bearer token is not a key of promptd: keys begin with %s", secretMark)
	}
	if !wellFormed(token) {
		return Secret{}, fault.New(fault.Unauthorized, "the key is mistyped or cut: its length or checksum is wrong")
	}
	return Secret{text: token}, nil
}

// wellFormed checks length, digits and checksum.
func wellFormed(token string) bool {
	if len(token) != secretLength || token[:len(secretMark)] != secretMark {
		return false
	}
	for i := len(secretMark); i < len(token); i++ {
		if !isLetterOrDigit(token[i]) {
			return false
		}
	}
	sum := checksum(token[:secretLength-sumDigits])
	return token[secretLength-sumDigits:] == string(sum[:])
}

// checksum gives six digits: 62⁶ exceeds 2³², so that every sum fits. The loop stands for crc32.ChecksumIEEE, which would move
// the text to the heap at every request.
func checksum(text string) [sumDigits]byte {
	sum := ^uint32(0)
	for i := range len(text) {
		sum = crc32.IEEETable[byte(sum)^text[i]] ^ sum>>8
	}
	sum = ^sum
	var out [sumDigits]byte
	for i := sumDigits - 1; i >= 0; i-- {
		out[i] = digits62[sum%62]
		sum /= 62
	}
	return out
}

// Hash gives what is stored.
func (s Secret) Hash() Hash {
	// The copy keeps the text's bytes on the stack: this runs once a request.
	var buf [secretLength]byte
	return sha256.Sum256(buf[:copy(buf[:], s.text)])
}

// Prefix gives what is shown.
func (s Secret) Prefix() string {
	if len(s.text) < prefixLength {
		return ""
	}
	return s.text[:prefixLength]
}

// Reveal gives the whole secret, for the one time that it is shown.
func (s Secret) Reveal() string { return s.text }

// String shows the prefix alone.
func (s Secret) String() string { return s.Prefix() + "…" }

// GoString shows the prefix alone.
func (s Secret) GoString() string { return s.String() }

// LogValue shows the prefix alone.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }
