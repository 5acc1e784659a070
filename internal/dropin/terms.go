package dropin

import (
	"slices"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/value"
)

// Terms are what a caller is held to, as far as it matters which parameters its relayed requests have.
type Terms struct {
	// Models says that the caller may not use every model.
	Models bool
	// Budget says that what a call may cost is reserved before it.
	Budget bool
	// Paid says that the tokens are which a call may take, by a budget or out of tokens per minute.
	Paid bool
}

// outside is a parameter by which a service does more than the model and the body say: what it costs, or who answers, would not be known before the call.
type outside struct {
	name string
	// elsewhere says that another model may answer, so that a list of models refuses it too; the rest is a matter of budgets.
	elsewhere bool
	// neutral are values, as JSON, that say nothing, beside null.
	neutral []string
	why     string
}

const (
	otherModel = "another model than the one that is named could answer"
	stored     = "the service would read what it has stored, and how much that is can't be reserved"
	ownPrice   = "it has a price of its own, which can't be reserved"
	otherHost  = "another host of the model can have another price"
	unfit      = "what of it does not fit is paid for as output, beside the answer"
)

// outsides lists them as of 2026-11: OpenAI's by its API reference, models, route, preset, provider and plugins by OpenRouter's, fallbacks by LiteLLM's.
func outsides(f dialect.Format) []outside {
	list := []outside{
		{"models", true, []string{"[]"}, otherModel},
		{"route", true, nil, otherModel},
		{"preset", true, nil, otherModel},
		{"fallbacks", true, []string{"[]"}, otherModel},
		{"provider", false, nil, otherHost},
		{"plugins", false, []string{"[]"}, ownPrice},
		{"service_tier", false, []string{`"auto"`, `"default"`, `"flex"`}, ownPrice},
	}
	if f == dialect.Responses {
		return append(list, outside{"previous_response_id", false, nil, stored}, outside{"conversation", false, nil, stored}, outside{"prompt", false, nil, stored})
	}
	return append(
		list, outside{"web_search_options", false, nil, ownPrice}, outside{"prediction", false, nil, unfit}, outside{"audio", false, nil, ownPrice}, outside{"modalities", false, []string{`["text"]`, "[]"}, ownPrice},
	)
}

// Check refuses by name what a relayed request may not have under the terms.
func (q *Request) Check(t Terms) error {
	var in input
	if t.Models || t.Budget {
		for _, o := range outsides(q.Format) {
			v, _ := q.body.Get(o.name)
			if v.IsNull() || !o.elsewhere && !t.Budget || slices.Contains(o.neutral, v.String()) {
				continue
			}
			in.held("/"+o.name, o.name+" can't be relayed for a key with "+t.held()+": "+o.why)
		}
	}
	if t.Budget {
		q.checkTools(&in)
		q.checkReferences(&in)
	}
	if n, _ := q.body.Get("n"); t.Paid && !n.IsNull() && whole(q.body, "n") == 0 {
		in.refuse("/n", "type", "n must be a whole number: what all answers together take is reserved", "Send a whole number from 1 on, or leave it out.")
	}
	return invalid(in.faults)
}

func (t Terms) held() string {
	if t.Budget {
		return "a budget"
	}
	return "a list of models"
}

func (in *input) held(pointer, message string) {
	in.refuse(pointer, "unsupported_parameter", message, "Leave it out, or use a key without that limit.")
}

// checkTools refuses tools that the service itself runs. Functions and custom tools are run by the caller.
func (q *Request) checkTools(in *input) {
	tools, _ := q.body.Get("tools")
	for i, t := range tools.Items() {
		kind, _ := t.Get("type")
		if _, function := t.Get("function"); kind.Text() == "function" || kind.Text() == "custom" || function && kind.IsNull() {
			continue
		}
		in.held(value.AppendIndex("/tools", i)+"/type", "tools that the service runs itself can't be relayed for a key with a budget: each use has a price of its own, which can't be reserved")
	}
}

// checkReferences refuses items of the input that stand for stored ones.
func (q *Request) checkReferences(in *input) {
	if q.Format != dialect.Responses {
		return
	}
	items, _ := q.body.Get("input")
	for i, item := range items.Items() {
		if kind, _ := item.Get("type"); kind.Text() == "item_reference" {
			in.held(value.AppendIndex("/input", i)+"/type", "references to stored items can't be relayed for a key with a budget: "+stored)
		}
	}
}

// Unbounded is the fault of a request that may get an answer of any length where nobody knows how long one can be.
func (q *Request) Unbounded(model string) error {
	name := "max_tokens"
	if q.Format == dialect.Responses {
		name = "max_output_tokens"
	}
	return fault.Invalid("/"+name, "required", name+" is missing: how much "+model+" can write is not known, and a budget holds this key or its team", "Send "+name+", or name a model whose limit is known.")
}
