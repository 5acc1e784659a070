package api

import (
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"github.com/promptd/promptd/internal/delivery"
	"github.com/promptd/promptd/internal/fault"
)

// CreateWebhookRequest is the body of POST /v1/webhooks.
type CreateWebhookRequest struct {
	URL    string      `json:"url" maxLength:"2048" format:"uri" doc:"https, without user, password and fragment, to a public address. webhooks.allow_private_networks allows http and intranets too."`
	Secret string      `json:"secret,omitempty" nullable:"true" doc:"whsec_ and 24 to 64 bytes in base64. Without one promptd makes one."`
	Events eventsShape `json:"events,omitempty" doc:"What it is told of; without any, everything."`
}

// ChangeWebhookRequest is the body of PATCH /v1/webhooks/{id}.
type ChangeWebhookRequest struct {
	URL     string      `json:"url,omitempty" maxLength:"2048" format:"uri" doc:"What is pending goes there too."`
	Events  eventsShape `json:"events,omitempty" doc:"Takes the place of those before; empty is everything."`
	Enabled bool        `json:"enabled,omitempty" doc:"false stops deliveries, true lets them go on."`
}

// RotateWebhookRequest is the body of POST /v1/webhooks/{id}/rotate.
type RotateWebhookRequest struct {
	Secret string `json:"secret,omitempty" nullable:"true" doc:"whsec_ and 24 to 64 bytes in base64. Without one promptd makes one."`
}

// eventsShape is a list of events.
type eventsShape []string

// Schema lists the events.
func (eventsShape) Schema(huma.Registry) *huma.Schema { return eventsSchema() }

func eventsSchema() *huma.Schema {
	one := &huma.Schema{Type: huma.TypeString}
	for _, e := range delivery.Events() {
		one.Enum = append(one.Enum, string(e))
	}
	return &huma.Schema{Type: huma.TypeArray, Items: one}
}

const (
	webhookIDPattern  = `^wh_[0-9a-f]{32}$`
	deliveryIDPattern = `^dlv_[0-9a-f]{32}$`

	exampleWebhookID  = "wh_0199f3c2a4b17c5e9d3e6f708192a3b4"
	exampleDeliveryID = "dlv_5f0c3a9e1b7d4c2f8e6a0d9b3c1f5e7a"
	exampleMessageID  = "msg_0199f3c2a4b17c5e9d3e6f708192a3b4_completed_1"

	exampleWebhook = `{"id": "` + exampleWebhookID + `", "team": "billing", "url": "https://example.com/hooks/promptd", "events": ["job.completed", "job.failed"], "enabled": true,
	"created_at": "2026-11-24T08:00:00Z", "updated_at": "2026-11-24T08:00:00Z"`
	exampleTry = `{"n": 1, "at": "2026-11-24T08:00:01Z", "url": "https://example.com/hooks/promptd", "duration_ms": 84.2, "status": 503, "error": "status",
	"detail": "the target answered 503", "answer": "try again later"}`
	exampleDelivery = `{"id": "` + exampleDeliveryID + `", "message_id": "` + exampleMessageID + `", "event": "job.completed", "job_id": "0199f3c2-a4b1-7c5e-9d3e-6f708192a3b4",
	"webhook_id": "` + exampleWebhookID + `", "url": "https://example.com/hooks/promptd", "status": "pending", "attempts": 1, "last_status": 503, "last_error": "status",
	"timestamp": "2026-11-24T08:00:00Z", "created_at": "2026-11-24T08:00:00Z", "next_attempt_at": "2026-11-24T08:00:08Z"`
)

func webhookPath() map[string]*huma.Param {
	return map[string]*huma.Param{"id": idParameter("The webhook's id.", webhookIDPattern, exampleWebhookID)}
}

func deliveryPath() map[string]*huma.Param {
	return map[string]*huma.Param{"id": idParameter("The delivery's id.", deliveryIDPattern, exampleDeliveryID)}
}

func docCreateWebhook() operation {
	return operation{
		id: "createWebhook", tag: "webhooks", summary: "Register a webhook",
		text: "Messages are signed after the Standard Webhooks specification. The answer shows the secret, this once. Under an Idempotency-Key the answer is kept encrypted with the caller's own " +
			"key, so that only a repetition by the same caller shows it again. A team has at most 100.",
		codes: []fault.Code{fault.Conflict},
		body:  &input{of: reflect.TypeFor[CreateWebhookRequest](), examples: examples("the ends of jobs", `{"url": "https://example.com/hooks/promptd", "events": ["job.completed", "job.failed"]}`)},
		answers: []reply{jsonReply(http.StatusCreated, reflect.TypeFor[WebhookWithSecret](), "The webhook with its secret.",
			example(exampleWebhook+`, "secret": "whsec_…"}`)).with("Idempotent-Replayed")},
	}
}

func docListWebhooks() operation {
	return operation{
		id: "listWebhooks", tag: "webhooks", summary: "List webhooks", text: "Those of the caller's team, disabled ones too, the newest first.",
		query:   []*huma.Param{limitParameter(delivery.DefaultPage, delivery.MostPage), cursorParameter(`^(wh_[0-9a-f]{32})?$`)},
		answers: []reply{jsonReply(http.StatusOK, reflect.TypeFor[Webhooks](), "A page of webhooks.", example(`{"data": [`+exampleWebhook+`}]}`))},
	}
}

func docReadWebhook() operation {
	return operation{
		id: "readWebhook", tag: "webhooks", summary: "Read a webhook", text: "Without its secret.", path: webhookPath(), codes: notFound(),
		answers: []reply{jsonReply(http.StatusOK, reflect.TypeFor[Webhook](), "The webhook.", example(exampleWebhook+`}`))},
	}
}

func docChangeWebhook() operation {
	return operation{
		id: "changeWebhook", tag: "webhooks", summary: "Change a webhook", text: "What the body leaves out stays as it is.", path: webhookPath(), codes: notFound(),
		body:    &input{of: reflect.TypeFor[ChangeWebhookRequest](), examples: examples("enable it again", `{"enabled": true}`)},
		answers: []reply{jsonReply(http.StatusOK, reflect.TypeFor[Webhook](), "The webhook as it is now.", example(exampleWebhook+`}`))},
	}
}

func docDeleteWebhook() operation {
	return operation{
		id: "deleteWebhook", tag: "webhooks", summary: "Delete a webhook", text: "What is pending for it fails; the log of deliveries stays.", path: webhookPath(), codes: notFound(),
		answers: []reply{{status: http.StatusNoContent, text: "The webhook is deleted."}},
	}
}

func docRotateWebhook() operation {
	return operation{
		id: "rotateWebhook", tag: "webhooks", summary: "Give a webhook another secret",
		text: "The answer shows the secret, this once. For 24 hours messages are signed with the one before too, so that a receiver can take the new one over without a gap.",
		path: webhookPath(), codes: notFound(),
		body: &input{of: reflect.TypeFor[RotateWebhookRequest](), optional: true, text: "May be left out.", examples: examples("a secret made by promptd", `{}`)},
		answers: []reply{jsonReply(http.StatusOK, reflect.TypeFor[WebhookWithSecret](), "The webhook with its secret.",
			example(exampleWebhook+`, "previous_secret_until": "2026-11-25T08:00:00Z", "secret": "whsec_…"}`)).with("Idempotent-Replayed")},
	}
}

func docPingWebhook() operation {
	return operation{
		id: "pingWebhook", tag: "webhooks", summary: "Send a webhook a test message",
		text: "The event `ping` is sent now and once, even where the webhook is disabled; what the target says is the answer. It is not in the log of deliveries.",
		path: webhookPath(), codes: notFound(), body: &input{of: reflect.TypeFor[NoFields](), optional: true, text: "May be left out."},
		answers: []reply{jsonReply(http.StatusOK, reflect.TypeFor[WebhookPing](), "What the target said.",
			example(`{"message_id": "msg_ping_0199f3c2a4b17c5e9d3e6f708192a3b4", "delivered": false, "attempt": `+exampleTry+`}`)).with("Idempotent-Replayed")},
	}
}

func docListDeliveries() operation {
	return operation{
		id: "listDeliveries", tag: "webhooks", summary: "List deliveries",
		text: "Those of the caller's team, the newest first, without their attempts. A delivery is kept for 30 days after its end.",
		query: []*huma.Param{
			limitParameter(delivery.DefaultPage, delivery.MostPage), cursorParameter(`^([0-9]{1,19}-dlv_[0-9a-f]{32})?$`),
			textParameter("job", "Those of one job, by its id."), textParameter("webhook", "Those to one webhook, by its id."),
			enumParameter("status", "Those that stand so.", "", "pending", "delivered", "failed"), enumParameter("event", "Those of one event.", eventWords()...),
		},
		answers: []reply{jsonReply(http.StatusOK, reflect.TypeFor[Deliveries](), "A page of deliveries.", example(`{"data": [`+exampleDelivery+`}]}`))},
	}
}

func eventWords() []any {
	words := []any{""}
	for _, e := range delivery.Events() {
		words = append(words, string(e))
	}
	return words
}

func docReadDelivery() operation {
	return operation{
		id: "readDelivery", tag: "webhooks", summary: "Read a delivery", text: "With its attempts.", path: deliveryPath(), codes: notFound(),
		answers: []reply{jsonReply(http.StatusOK, reflect.TypeFor[Delivery](), "The delivery.", example(exampleDelivery+`, "attempt_log": [`+exampleTry+`]}`))},
	}
}

func docRedeliver() operation {
	return operation{
		id: "redeliver", tag: "webhooks", summary: "Send a delivery again",
		text: "The same message, under the same webhook-id and with the same bytes, is due at once, with the whole of its time before it. One whose webhook was deleted or is disabled is a 409.",
		path: deliveryPath(), codes: []fault.Code{fault.NotFound, fault.Conflict},
		body:    &input{of: reflect.TypeFor[NoFields](), optional: true, text: "May be left out."},
		answers: []reply{jsonReply(http.StatusAccepted, reflect.TypeFor[Delivery](), "The delivery, pending.", example(exampleDelivery+`}`)).with("Idempotent-Replayed")},
	}
}
