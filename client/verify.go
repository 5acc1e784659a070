package client

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// WebhookTolerance is how far the clock of a message may be from that of its receiver, so that an old message cannot be sent again by somebody else.
const WebhookTolerance = 5 * time.Minute

// ErrWebhook says that a message is not to be trusted: it was not signed with this secret, was changed on its way, or is old. Answer it with a 400 and do nothing.
var ErrWebhook = errors.New("the webhook's message is not to be trusted")

// WebhookEvent is a message whose signature was right.
type WebhookEvent struct {
	// ID is the webhook-id: the same for every attempt and replay. Whoever keeps the ids that were done handles each message once.
	ID string `json:"-"`
	// Type says what happened, such as job.completed, and Timestamp when.
	Type      string    `json:"type"`
	Timestamp time.Time `json:"timestamp"`
	// Data is what it happened to: for events of a job, what GET /v1/jobs/{id} answers.
	Data json.RawMessage `json:"data"`
}

// VerifyWebhook checks a message that a webhook got: its signature by the endpoint's secret, and its age. The body is that of the request, byte for byte as it
// came. The error is [ErrWebhook] where the message is not to be trusted.
func VerifyWebhook(secret string, header http.Header, body []byte) (*WebhookEvent, error) {
	return VerifyWebhookAt(secret, header, body, time.Now(), WebhookTolerance)
}

// VerifyWebhookAt is [VerifyWebhook] at a time and with a tolerance.
func VerifyWebhookAt(secret string, header http.Header, body []byte, now time.Time, tolerance time.Duration) (*WebhookEvent, error) {
	raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil || len(raw) == 0 {
		return nil, errors.New("the webhook's secret is not one: it is whsec_ and base64")
	}
	id, stamp, signatures := header.Get("Webhook-Id"), header.Get("Webhook-Timestamp"), header.Get("Webhook-Signature")
	if id == "" || stamp == "" || signatures == "" {
		return nil, fmt.Errorf("%w: it lacks webhook-id, webhook-timestamp or webhook-signature", ErrWebhook)
	}
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("%w: its webhook-timestamp is no number", ErrWebhook)
	}
	if off := now.Sub(time.Unix(seconds, 0)); off > tolerance || off < -tolerance {
		return nil, fmt.Errorf("%w: it is too old or from the future", ErrWebhook)
	}
	sum := hmac.New(sha256.New, raw)
	sum.Write([]byte(id + "." + stamp + "."))
	sum.Write(body)
	if !signed(signatures, sum.Sum(nil)) {
		return nil, fmt.Errorf("%w: no signature fits its content", ErrWebhook)
	}
	e := &WebhookEvent{ID: id}
	if err := json.Unmarshal(body, e); err != nil {
		return nil, fmt.Errorf("read the webhook's message: %w", err)
	}
	return e, nil
}

// signed looks for the sum among signatures. Each is compared in the same time wherever it differs, so that nobody can guess one digit by digit.
func signed(signatures string, sum []byte) bool {
	found := false
	for one := range strings.FieldsSeq(signatures) {
		text, ours := strings.CutPrefix(one, "v1,")
		if !ours {
			continue
		}
		if got, err := base64.StdEncoding.DecodeString(text); err == nil && hmac.Equal(got, sum) {
			found = true
		}
	}
	return found
}
