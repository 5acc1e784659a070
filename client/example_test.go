package client_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/promptd/promptd/client"
)

// A text becomes a Go value that satisfies a schema. The server here answers what a real one would.
func ExampleClient_Analyze() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"request_id":"r1","data":{"item":"paint","amount":3},"output_format":"json","validation_status":"passed"}`)
	}))
	defer server.Close()

	c, err := client.New(server.URL, "pd_live_key")
	if err != nil {
		fmt.Println(err)
		return
	}
	answer, err := c.Analyze(context.Background(), client.Request{
		Prompt: "Three tins of paint, please.",
		Schema: json.RawMessage(`{"type": "object", "properties": {"item": {"type": "string"}, "amount": {"type": "integer"}}, "required": ["item", "amount"]}`),
	})
	if client.IsCode(err, client.CodeValidationFailed) {
		fmt.Println("no model gave an answer that satisfies the schema")
		return
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	var order struct {
		Item   string
		Amount int
	}
	if err := answer.Decode(&order); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(order.Amount, order.Item)
	// Output: 3 paint
}
