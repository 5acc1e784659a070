package providertest

import (
	"context"
	"crypto/sha256"
	"math/rand/v2"
	"sync"

	"github.com/promptd/promptd/internal/provider/providertest/instance"
	"github.com/promptd/promptd/internal/repair"
	"github.com/promptd/promptd/internal/repair/damage"
	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/value"
)

// variants is how many different answers a schema gets: enough for variety, few enough to be remembered.
const variants = 16

// memory is what is worked out once: schemas, answers, and whole responses to bodies that come again.
type memory struct {
	mu        sync.RWMutex
	schemas   map[digest]known
	answers   map[answerKey]value.Value
	once      map[uint64]struct{} // bodies that came
	responses map[asked][]byte
	size      int // bytes of responses and of their keys
}

// asked is a request by its address and body: the address of some wire forms says whether a stream is wanted.
type asked struct{ path, body string }

// known is a schema with its judge, which is nil where the schema does not compile.
type known struct {
	schema value.Value
	judge  instance.Judge
	fault  bool // the text is no schema
}

type answerKey struct {
	schema  digest
	variant uint64
}

const (
	mostRemembered = 4096     // schemas, and answers
	mostResponses  = 64 << 20 // bytes
)

func (m *memory) response(path string, body []byte) ([]byte, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	r, ok := m.responses[asked{path, string(body)}]
	return r, ok
}

// rememberResponse keeps the response to a body that comes for the second time: most bodies of a long run never come again, and would fill the memory.
func (m *memory) rememberResponse(path string, body, response []byte, d digest) {
	const most = 1 << 16
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, again := m.once[d.word(0)]; !again {
		if m.once == nil || len(m.once) >= most {
			m.once = make(map[uint64]struct{}, most)
		}
		m.once[d.word(0)] = struct{}{}
		return
	}
	if m.size += len(body) + len(response); m.responses == nil || m.size > mostResponses {
		m.responses, m.size = map[asked][]byte{}, len(body)+len(response)
	}
	m.responses[asked{path, string(body)}] = response
}

// know gives the schema of a raw text.
func (m *memory) know(key digest, make func() (value.Value, bool)) known {
	m.mu.RLock()
	k, ok := m.schemas[key]
	m.mu.RUnlock()
	if ok {
		return k
	}
	s, ok := make()
	k = known{schema: s, fault: !ok}
	if ok {
		if compiled, err := schema.Compile(s, schema.Options{Limits: schema.Limits{Bytes: 4 << 20}}); err == nil {
			k.judge = func(v value.Value) bool {
				valid, _ := compiled.Accept(context.Background(), v)
				return valid.OK()
			}
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.schemas == nil || len(m.schemas) >= mostRemembered {
		m.schemas = map[digest]known{}
	}
	m.schemas[key] = k
	return k
}

// instance gives the answer to a schema.
func (m *memory) instance(k known, key answerKey, seed uint64) value.Value {
	m.mu.RLock()
	v, ok := m.answers[key]
	m.mu.RUnlock()
	if ok {
		return v
	}
	v, err := instance.Make(k.schema, rand.New(rand.NewPCG(seed, key.schema.word(0)+key.variant)), k.judge) //nolint:gosec // Chance that repeats is the point.
	if err != nil {                                                                                         // No service would do better: an answer that fits as far as can be told.
		v, err = instance.Make(k.schema, rand.New(rand.NewPCG(seed, key.variant)), nil) //nolint:gosec // Likewise.
		if err != nil {
			v = value.Object()
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.answers == nil || len(m.answers) >= mostRemembered {
		m.answers = map[answerKey]value.Value{}
	}
	m.answers[key] = v
	return v
}

// complete decodes what parse left raw: the messages where they are wanted, and the schema.
func (s *Server) complete(p *parsed, all bool) (known, answerKey) {
	if all || p.schema == nil || s.settings.NoVision {
		p.readMessages()
	}
	if s.settings.NoVision && p.Images > 0 {
		p.refuse("This model does not support image inputs.")
	}
	key := answerKey{variant: p.digest.word(3) % variants}
	var k known
	switch {
	case p.schema != nil:
		key.schema = sha256.Sum256(p.schema)
		k = s.memory.know(key.schema, func() (value.Value, bool) {
			v, err := value.Decode(p.schema, value.Limits{})
			return v, err == nil && (v.Kind() == value.KindObject || v.Kind() == value.KindBool)
		})
		if k.fault {
			p.rejectSchema("Invalid schema for response_format: ", "it is not a JSON Schema")
		}
	default:
		k.fault = true
		for _, text := range [...]string{p.text("system", "developer"), p.text("user")} {
			if k.fault && text != "" {
				key.schema = sha256.Sum256([]byte(text))
				k = s.memory.know(key.schema, func() (value.Value, bool) { return schemaIn(text) })
			}
		}
		if !k.fault {
			p.Form = formPrompt
		}
	}
	if !k.fault {
		p.Schema = k.schema
	}
	return k, key
}

// choice is what was chosen to be answered.
type choice struct {
	Reply
	class  Class
	damage repair.Kind
}

// choose decides by seed, body and repetition what a request is answered with.
func (s *Server) choose(p *parsed, k known, key answerKey) (choice, *rand.Rand) {
	rng := rand.New(rand.NewPCG(s.settings.Seed^p.digest.word(0), p.digest.word(1)+uint64(p.Repeat))) //nolint:gosec // Chance that repeats is the point.
	text, given := s.settings.Text, s.settings.Text != ""
	if s.settings.Answer != nil {
		if t, ok := s.settings.Answer(p.Request); ok {
			text, given = t, true
		}
	}
	var right value.Value
	structured := !k.fault
	switch {
	case given:
		v, err := value.DecodeString(text, value.Limits{})
		right, structured = v, err == nil
	case structured:
		right = s.memory.instance(k, key, s.settings.Seed)
		text = right.String()
	case p.JSON:
		right = value.Object(value.Member{Name: "answer", Value: value.String("There was no schema.")})
		text, structured = right.String(), true
	default:
		text = "The request had no JSON Schema in it, so this answer is plain text."
	}
	c := choice{Reply: Reply{Text: text}, class: Valid}
	draw := rng.Float64()
	drawn := func(share float64) bool {
		draw -= share
		return draw < 0
	}
	shares := s.settings.Shares
	switch {
	case drawn(shares.Transport):
		c.Fault = s.settings.Faults[rng.IntN(len(s.settings.Faults))]
	case drawn(shares.Invalid):
		if !structured {
			break
		}
		judge := k.judge
		if judge == nil {
			judge = func(v value.Value) bool { return v.Kind() == right.Kind() }
		}
		if bad, ok := instance.Spoil(right, rng, judge); ok {
			c.class, c.Text = Invalid, bad.String()
		}
	case drawn(shares.Malformed):
		if structured {
			c.class, c.damage, c.Text = s.damaged(right, rng)
		}
	case drawn(shares.Truncated):
		if tokens := tokens(text); len(tokens) > 1 {
			c.class, c.Stop, c.Text = Truncated, stopLength, join(tokens[:1+rng.IntN(len(tokens)-1)])
		}
	case drawn(shares.Refused):
		c.class, c.Text, c.Refusal = Refused, "", "I'm sorry, but I can't help with that."
	case drawn(shares.Filtered):
		c.class, c.Stop, c.Text = Filtered, stopFiltered, ""
	}
	return c, rng
}

// damaged writes a value as broken JSON. Not every kind finds a place in every value, so kinds are tried until one does.
func (s *Server) damaged(v value.Value, rng *rand.Rand) (Class, repair.Kind, string) {
	kinds := s.settings.Damage
	if len(kinds) == 0 {
		kinds = damage.Kinds()
	}
	for _, i := range rng.Perm(len(kinds)) {
		text, _ := damage.Apply(kinds[i], v, rng)
		if _, err := value.DecodeString(text, value.Limits{}); err != nil {
			return Malformed, kinds[i], text
		}
	}
	return Valid, "", v.String()
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
