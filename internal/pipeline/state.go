package pipeline

import (
	"bytes"
	"compress/flate"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/prompt"
	"github.com/promptd/promptd/internal/schema/missing"
	"github.com/promptd/promptd/internal/value"
)

// dialogue is what goes on over several requests: the first one as it was sent, and each round of questions with what the person said to it. It travels with
// the caller as a state, so that promptd keeps nothing.
type dialogue struct {
	// Asked is when the last questions were asked, in Unix seconds.
	Asked int64 `json:"asked"`
	// Request is the first request's body; references in it name versions.
	Request value.Value `json:"request"`
	// Schema is the hash of the schema that judges.
	Schema []byte  `json:"schema"`
	Rounds []round `json:"rounds"`
}

// round is one time of asking. Reply, or Answers to single questions, is what the person said; the last round of a state has neither yet.
type round struct {
	Questions []missing.Question `json:"questions"`
	Reply     string             `json:"reply,omitempty"`
	Answers   []prompt.Reply     `json:"answers,omitempty"`
}

// Bounds of a dialogue.
const (
	// mostRounds bounds how often a person is asked for the same form.
	mostRounds = 8
	// stateLife is how long a state can be gone on with.
	stateLife = 24 * time.Hour
	// mostDialogue bounds a dialogue as JSON. Only what was sealed here is unpacked, so that this is a second line.
	mostDialogue = 16 << 20
)

// states seals dialogues. What is sealed can't be read, changed or made up by whoever holds it, and opens for the team it was made for alone: it comes back as
// turns that the model is shown as its own.
type states struct{ box cipher.AEAD }

// statePrefix names the form of a state.
const statePrefix = "pd1."

// StateKeyBytes is the length of the key that seals states.
const StateKeyBytes = 32

// newStates makes the box of a secret; without one, of a key that lives as long as this process.
func newStates(secret []byte) (states, error) {
	if secret == nil {
		secret = make([]byte, StateKeyBytes)
		_, _ = rand.Read(secret) // It never fails: crypto/rand ends the program where it can't read.
	}
	if len(secret) != StateKeyBytes {
		return states{}, fmt.Errorf("the key of states has %d bytes, want %d", len(secret), StateKeyBytes)
	}
	derived, err := hkdf.Key(sha256.New, secret, nil, "promptd state "+statePrefix, StateKeyBytes)
	if err != nil {
		return states{}, fmt.Errorf("derive the key of states: %w", err)
	}
	block, err := aes.NewCipher(derived)
	if err != nil {
		return states{}, fmt.Errorf("make the cipher of states: %w", err)
	}
	box, err := cipher.NewGCMWithRandomNonce(block)
	return states{box}, err
}

// seal makes the text of a state; empty where it would be longer than prompt.MostState.
func (s states) seal(team key.TeamID, d *dialogue) (string, error) {
	raw, err := json.Marshal(d)
	if err != nil {
		return "", fmt.Errorf("write a state: %w", err)
	}
	var packed bytes.Buffer
	w, err := flate.NewWriter(&packed, flate.BestSpeed)
	if err != nil {
		return "", fmt.Errorf("write a state: %w", err)
	}
	if _, err := w.Write(raw); err != nil {
		return "", fmt.Errorf("write a state: %w", err)
	}
	if err := w.Close(); err != nil {
		return "", fmt.Errorf("write a state: %w", err)
	}
	sealed := s.box.Seal(nil, nil, packed.Bytes(), []byte(team))
	if len(statePrefix)+base64.RawURLEncoding.EncodedLen(len(sealed)) > prompt.MostState || len(raw) > mostDialogue {
		return "", nil
	}
	return statePrefix + base64.RawURLEncoding.EncodeToString(sealed), nil
}

// open reads a state that was made for the team. All that is wrong with one is told alike: who tries learns nothing.
func (s states) open(team key.TeamID, text string, now time.Time) (*dialogue, error) {
	encoded, ok := strings.CutPrefix(text, statePrefix)
	sealed, err := base64.RawURLEncoding.DecodeString(encoded)
	if !ok || err != nil {
		return nil, badState(err)
	}
	packed, err := s.box.Open(nil, nil, sealed, []byte(team))
	if err != nil {
		return nil, badState(err)
	}
	raw, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(packed)), mostDialogue+1))
	if err != nil || len(raw) > mostDialogue {
		return nil, badState(err)
	}
	d := &dialogue{}
	if err := json.Unmarshal(raw, d); err != nil {
		return nil, badState(err)
	}
	if len(d.Rounds) == 0 || d.Request.Kind() != value.KindObject {
		return nil, badState(errors.New("a state without a question"))
	}
	if age := now.Sub(time.Unix(d.Asked, 0)); age > stateLife {
		return nil, fault.Invalid("/state", "expired", "this state is older than 24 hours", "Start anew, without state.")
	}
	return d, nil
}

func badState(cause error) error {
	return fault.Invalid("/state", "state", "this is not a state that was given to this team, or it was changed",
		"Send the state of the last answer with validation_status needs_input as it is, with a key of the same team; or start anew without state.").Because(cause)
}
