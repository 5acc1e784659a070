package schema

import (
	"errors"
	"fmt"
	"strings"

	"github.com/promptd/promptd/internal/value"
)

// keywordRules and keywordExtractive are promptd's own keywords.
const (
	keywordRules      = "x-rules"
	keywordExtractive = "x-extractive"
)

// rulesKeyword is x-rules: conditions in CEL that the value, named self, fulfils.
type rulesKeyword struct {
	n    *node
	list []rule
}

type rule struct {
	place   int // in the array
	text    string
	id      string
	message string
	program *ruleProgram
}

// judge goes through all rules. It stands behind the node's other keywords, so that rules see values that those allow, and a rule that has no result for want
// of a member or for a wrong type adds nothing to the entries that say so already.
func (k *rulesKeyword) judge(t *trial, v value.Value, _ marks) bool {
	ok := true
	for i := range k.list {
		r := &k.list[i]
		e := r.program.begin(t, v)
		x, err := r.program.eval(e)
		if errors.Is(err, errRuleSteps) {
			t.stop() // Not merely a "no", which not and if would turn around.
			return false
		}
		if holds, isBool := x.(bool); err == nil && isBool && holds {
			continue
		}
		if ok = false; t.report == nil {
			return false
		}
		if err == nil {
			k.fail(t, r, v, r.failure(x, e))
			continue
		}
		var fault *ruleFault
		if errors.As(err, &fault) && !t.faulty() {
			k.fail(t, r, v, failure{message: "cannot be judged: " + fault.message, hint: fault.hint})
		}
	}
	return ok
}

// failure says that a rule gave no true.
func (r *rule) failure(x any, e *evaluation) failure {
	if _, isBool := x.(bool); !isBool {
		return failure{message: "gives " + kindName(x) + ", where true or false is wanted", hint: "Compare the value with something."}
	}
	f := failure{message: "does not hold", hint: "Give values for which it holds."}
	if r.program.left != nil {
		// The sides are worth showing: a model that is asked again sees which number is off.
		e.left = ruleSteps
		left, err := r.program.left(e)
		right, second := r.program.right(e)
		if a, b := side(left), side(right); err == nil && second == nil && a != "" && b != "" {
			f.hint = fmt.Sprintf("Its left side is %s and its right side %s: give values for which it holds.", a, b)
		}
	}
	return f
}

// side shows what has no words: a string of the answer must not speak to a model as if it were part of the hint.
func side(x any) string {
	switch x := x.(type) {
	case nil:
		return "null"
	case bool:
		return fmt.Sprint(x)
	case exact:
		return cut(x.String(), 60)
	default:
		return ""
	}
}

func (k *rulesKeyword) fail(t *trial, r *rule, v value.Value, f failure) {
	if len(t.report.entries) >= maxCollected {
		t.report.more++
		return
	}
	name := "the rule"
	if r.id != "" {
		name += " " + quote(r.id)
	}
	message := name + " " + f.message
	if r.message != "" {
		if message = r.message; f.message != "does not hold" {
			message += " (" + name + " " + f.message + ")"
		}
	}
	t.report.entries = append(t.report.entries, Entry{
		Keyword: keywordRules, Pointer: t.pointer(), SchemaPointer: value.AppendIndex(k.n.place(keywordRules), r.place),
		Expected: cut(r.text, maxExpected), Actual: actual(v), Message: message, Hint: f.hint,
	})
}

// faulty reports whether an entry stands against the value at hand or a part of it.
func (t *trial) faulty() bool {
	at := t.pointer()
	for i := range t.report.entries {
		if rest, ok := strings.CutPrefix(t.report.entries[i].Pointer, at); ok && (rest == "" || rest[0] == '/') && t.report.entries[i].Keyword != keywordRules {
			return true
		}
	}
	return false
}

// rules reads x-rules: an array of {"rule": "…", "message": "…", "id": "…"}, or of rules alone.
func (b *builder) rules() {
	v, ok := b.n.raw.Get(keywordRules)
	if !ok {
		return
	}
	if v.Kind() != value.KindArray {
		b.bad(keywordRules, "keyword_type", "x-rules is an array of rules", `Write it as [{"rule": "self.total >= 0", "message": "…"}].`)
		return
	}
	k := &rulesKeyword{n: b.n}
	for i, item := range v.Items() {
		if r, ok := b.rule(i, item); ok {
			k.list = append(k.list, r)
		}
	}
	if len(k.list) == 0 {
		return
	}
	for kind := range b.n.of {
		b.add(value.Kind(kind), k) //nolint:gosec // There are six kinds.
	}
	if b.negated() {
		b.advise(keywordRules, "negated_rule",
			"x-rules below not or if: a rule that cannot be judged counts as one that does not hold; negate within the rule instead")
	}
}

// negated reports whether a not or if stands above the node in its document.
func (b *builder) negated() bool {
	tokens, _ := value.Tokens(b.n.pointer)
	for i, token := range tokens {
		if info, known := keywordOf(token); !known || !info.inPlace || token != "not" && token != "if" {
			continue
		}
		if i == 0 {
			return true
		}
		if above, known := keywordOf(tokens[i-1]); !known || above.shape != mapOfSchemas && above.shape != mapOfSchemaOrSet {
			return true
		}
	}
	return false
}

func (b *builder) rule(i int, item value.Value) (rule, bool) {
	r := rule{place: i}
	bad := func(name, message, hint string) (rule, bool) {
		b.c.problem(b.n.resource.doc, value.AppendIndex(b.at(keywordRules), i), name, message, hint)
		return rule{}, false
	}
	switch item.Kind() {
	case value.KindString:
		r.text = item.Text()
	case value.KindObject:
		for name, part := range item.Members() {
			to, known := map[string]*string{"rule": &r.text, "message": &r.message, "id": &r.id}[name]
			if !known || part.Kind() != value.KindString {
				return bad("keyword_type", fmt.Sprintf("%s of a rule is not known, or no string", quote(name)), "A rule has the strings rule, message and id.")
			}
			*to = part.Text()
		}
	default:
		return bad("keyword_type", "a rule is an object or a string", `Write it as {"rule": "self.total >= 0", "message": "…"}.`)
	}
	if strings.TrimSpace(r.text) == "" {
		return bad("rule", "the rule is empty", `Write a condition over self, such as "self.total >= 0".`)
	}
	if b.c.rules == nil {
		var err error
		if b.c.rules, err = newRuleCompiler(); err != nil {
			return bad("rule", "the rule cannot be compiled: "+err.Error(), "")
		}
	}
	var fault string
	if r.program, fault = b.c.rules.compile(r.text); fault != "" {
		return bad("rule", "the rule does not compile: "+fault, "Write a condition in CEL over self, which is the value at this place.")
	}
	const nodeWeight = 200
	b.c.weight += len(r.text) + nodeWeight*r.program.nodes
	return r, true
}
