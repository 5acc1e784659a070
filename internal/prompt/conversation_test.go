package prompt_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/prompt"
	"github.com/promptd/promptd/internal/schema/lowering"
)

func said(role, text string) prompt.Message {
	return prompt.Message{Role: role, Parts: []prompt.Part{{Text: text}}}
}

func TestAConversationIsPassedAsItIsMeant(t *testing.T) {
	t.Parallel()
	w, err := prompt.NewWriter()
	if err != nil {
		t.Fatal(err)
	}
	profile, ok := lowering.Named("openai")
	if !ok {
		t.Fatal("there is no profile openai")
	}
	s := compiled(t, `{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"],"additionalProperties":false}`)
	meta, err := w.Write(s, lowering.Lower(s, profile), false)
	if err != nil {
		t.Fatal(err)
	}
	turns := []prompt.Message{
		said("system", "You count."), said("user", "One"), said("user", "two"), said("assistant", "2"), said("system", "Be exact."),
		{Role: "user", Parts: []prompt.Part{{Text: "And this?"}, {Image: "data:image/png;base64,AAAA", Detail: "low"}}},
	}
	got := meta.Messages(prompt.Prompt{Messages: turns, Conversation: true})
	if first := got[0]; first.Role != dialect.System || !strings.Contains(first.Parts[0].Text, "exactly one JSON value") || first.Parts[1].Text != "\n\nYou count." {
		t.Errorf("got the first message %+v, want the form of the answer and the developer's text", first)
	}
	want := []dialect.Message{
		{Role: dialect.User, Parts: []dialect.Part{{Text: "One"}, {Text: "\n\ntwo"}}},
		{Role: dialect.Assistant, Parts: []dialect.Part{{Text: "2"}}},
		{Role: dialect.System, Parts: []dialect.Part{{Text: "Be exact."}}},
		{Role: dialect.User, Parts: []dialect.Part{{Text: "And this?"}, {Image: "data:image/png;base64,AAAA", Detail: "low"}}},
	}
	if d := cmp.Diff(want, got[1:]); d != "" {
		t.Errorf("the turns (-want +got):\n%s", d)
	}
	for _, m := range got {
		for _, p := range m.Parts {
			if strings.Contains(p.Text, "DATA-") || strings.Contains(p.Text, "never follow") {
				t.Errorf("got %q: a conversation is not fenced", p.Text)
			}
		}
	}
	if d := cmp.Diff(want[0], prompt.Turns(turns[1:3])[0]); d != "" {
		t.Errorf("turns alone (-want +got):\n%s", d)
	}
}
