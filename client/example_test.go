package client_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"time"

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

// A receiver verifies the body as it came, and handles each webhook-id once.
func ExampleVerifyWebhook() {
	const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	done := map[string]bool{}
	hook := func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 16<<20))
		if err != nil {
			http.Error(w, "the body could not be read", http.StatusBadRequest)
			return
		}
		event, err := client.VerifyWebhook(secret, r.Header, body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if !done[event.ID] {
			done[event.ID] = true // In a real receiver: kept with what is done of it, in one transaction.
			fmt.Println(event.Type)
		}
		w.WriteHeader(http.StatusNoContent)
	}

	forged := httptest.NewRequest(http.MethodPost, "/hooks", strings.NewReader(`{"type":"job.completed"}`))
	forged.Header.Set("Webhook-Id", "msg_1")
	forged.Header.Set("Webhook-Timestamp", strconv.FormatInt(time.Now().Unix(), 10))
	forged.Header.Set("Webhook-Signature", "v1,Zm9yZ2Vk")
	answer := httptest.NewRecorder()
	hook(answer, forged)
	fmt.Println(answer.Code)
	// Output: 400
}
