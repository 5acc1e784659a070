package prompt_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/prompt"
	"github.com/promptd/promptd/internal/value"
)

func readBatch(t *testing.T, text string) ([]prompt.Item, error) {
	t.Helper()
	v, err := value.DecodeString(text, value.Limits{})
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return prompt.ReadBatch(v, prompt.Defaults{CacheTTL: time.Hour, MaxAttempts: 4})
}

// places gives the pointers and rules of a fault's entries.
func places(err error) []string {
	var list []string
	if err == nil {
		return nil
	}
	for _, e := range fault.Of(err).Entries {
		list = append(list, e.Pointer+" "+e.Rule)
	}
	return list
}

func TestBatchFaultsAreToldWhereTheyStand(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		body  string
		whole []string   // faults of the batch
		items [][]string // or of its items
	}{
		"no items":             {body: `{}`, whole: []string{"/items required"}},
		"not a list":           {body: `{"items": {}}`, whole: []string{"/items type"}},
		"empty":                {body: `{"items": []}`, whole: []string{"/items minItems"}},
		"too many":             {body: `{"items": [` + strings.Repeat(`{"prompt":"a"},`, 100) + `{"prompt":"a"}]}`, whole: []string{"/items maxItems"}},
		"not objects":          {body: `{"items": [1, {"prompt": "a"}]}`, whole: []string{"/items/0 type"}},
		"unknown field":        {body: `{"items": [{"prompt": "a"}], "prompt": "b"}`, whole: []string{"/prompt unknown_field"}},
		"fault in the options": {body: `{"items": [{"prompt": "a"}, {"prompt": "b"}], "options": {"temperature": 9}}`, whole: []string{"/options/temperature range"}},
		"ids":                  {body: `{"items": [{"id": "a", "prompt": "a"}, {"id": "a", "prompt": "b"}, {"id": 1, "prompt": "c"}]}`, whole: []string{"/items/1/id unique", "/items/2/id type"}},
		"an id that counts":    {body: `{"items": [{"id": "1", "prompt": "a"}, {"prompt": "b"}]}`, whole: []string{"/items/1/id unique"}},
		"long id":              {body: `{"items": [{"id": "` + strings.Repeat("a", 129) + `", "prompt": "a"}]}`, whole: []string{"/items/0/id length"}},
		"faults of one item": {
			body:  `{"items": [{"prompt": "a"}, {"promt": "b", "options": {"temperature": 9}}], "options": {"temperature": 1}}`,
			items: [][]string{nil, {"/items/1/prompt required", "/items/1/options/temperature range", "/items/1/promt unknown_field"}},
		},
		"a streamed item": {body: `{"items": [{"prompt": "a", "stream": true}]}`, items: [][]string{{"/items/0/stream unsupported"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			items, err := readBatch(t, c.body)
			if diff := cmp.Diff(c.whole, places(err)); diff != "" {
				t.Errorf("faults of the batch (-want +got):\n%s", diff)
			}
			for i := range c.items {
				if diff := cmp.Diff(c.items[i], places(items[i].Fault)); diff != "" {
					t.Errorf("faults of item %d (-want +got):\n%s", i, diff)
				}
			}
		})
	}
}

func TestAnItemsOwnWordWins(t *testing.T) {
	t.Parallel()
	items, err := readBatch(t, `{"schema": {"type": "string"}, "format": "yaml", "options": {"temperature": 1, "max_attempts": 2},
		"items": [{"prompt": "a"}, {"id": "own", "prompt": "b", "schema": {"type": "number"}, "format": "json", "options": {"temperature": 0}}]}`)
	if err != nil {
		t.Fatal(err)
	}
	got := ""
	for _, i := range items {
		q := i.Prompt
		got += fmt.Sprintf("%s %s %s %s %g %d %v\n", i.ID, q.Text, q.Schema, q.Format, q.Options.Temperature, q.Options.MaxAttempts, i.Fault)
	}
	want := "0 a {\"type\":\"string\"} yaml 1 2 <nil>\nown b {\"type\":\"number\"} json 0 2 <nil>\n"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("items (-want +got):\n%s", diff)
	}
}

func TestPointersOfAnItemsFaultsAreThoseOfTheBatch(t *testing.T) {
	t.Parallel()
	items, err := readBatch(t, `{"schema": {"type": "strin"}, "items": [{"prompt": "a"}, {"prompt": "b", "schema": {"type": "numbr"}}]}`)
	if err != nil {
		t.Fatal(err)
	}
	refused := &fault.Fault{Code: fault.InvalidSchema, Entries: []fault.Entry{{Pointer: "/schema/type", Rule: "enum"}}}
	for i, want := range []string{"/schema/type enum", "/items/1/schema/type enum"} {
		if got := places(items[i].Placed(refused)); len(got) != 1 || got[0] != want {
			t.Errorf("item %d: got %v, want %s", i, got, want)
		}
	}
	if got := refused.Entries[0].Pointer; got != "/schema/type" {
		t.Errorf("the fault itself was changed to %s", got)
	}
}

// Whatever a body holds, reading it ends with items or a fault, and never with more than a call takes.
func FuzzReadBatch(f *testing.F) {
	for _, seed := range []string{
		`{"items":[{"prompt":"a"}]}`, `{"items":[{"id":"a","messages":[{"role":"user","content":"x"}]}],"options":{"max_attempts":1}}`, `{"items":[{}]}`, `{"items":[[]],"schema":1}`, `[]`, `{"items":null}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		v, err := value.Decode(raw, value.Limits{Depth: 64, Nodes: 10_000})
		if err != nil {
			return
		}
		items, err := prompt.ReadBatch(v, prompt.Defaults{CacheTTL: time.Hour, MaxAttempts: 4})
		if (err == nil) != (len(items) > 0) || len(items) > prompt.MostItems {
			t.Errorf("got %d items and the error %v", len(items), err)
		}
		for i := range items {
			if items[i].Fault != nil && len(fault.Of(items[i].Fault).Entries) == 0 {
				t.Errorf("item %d: the fault %v names no place", i, items[i].Fault)
			}
		}
	})
}
