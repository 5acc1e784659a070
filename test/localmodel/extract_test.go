package localmodel

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestExtractedStringsStandInTheText has the real model fill strings under x-extractive: the grammar leaves it nothing but spans of the text.
func TestExtractedStringsStandInTheText(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: -short leaves out the real local model (127 MB download, a minute)")
	}
	url, secret := program(t)
	client := &http.Client{Timeout: patience + time.Minute}
	const schema = `{"type":"object","properties":{"customer":{"type":"string","x-extractive":true},"reason":{"type":"string","x-extractive":true}},` +
		`"required":["customer","reason"],"additionalProperties":false}`
	passed, first := 0, 0
	texts := files(t, "texts")
	for _, text := range texts {
		a, err := ask(t.Context(), client, url, secret, text, schema)
		if err != nil {
			t.Fatalf("%s: %v", text.name, err)
		}
		t.Logf("%-12s %-22s %d attempts (%s)  %s", text.name, a.outcome(), len(a.Attempts), a.tries(), shown(a))
		if a.status != http.StatusOK {
			continue
		}
		passed++
		if len(a.Attempts) == 1 {
			first++
		}
		var data map[string]string
		if err := json.Unmarshal(a.Data, &data); err != nil {
			t.Fatal(err)
		}
		for name, v := range data {
			if !strings.Contains(strings.Join(strings.Fields(text.text), " "), strings.Join(strings.Fields(v), " ")) {
				t.Errorf("%s: %s is %q, which does not stand in the text", text.name, name, v)
			}
		}
	}
	t.Logf("%d of %d texts answered, %d at the first attempt", passed, len(texts), first)
	if first < len(texts)-1 { // Without the grammar a small model hardly ever copies.
		t.Errorf("%d of %d texts answered at the first attempt: the grammar does not hold the model to the text", first, len(texts))
	}
}
