package client_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/promptd/promptd/client"
	"github.com/promptd/promptd/internal/sharedtest"
)

// vector is a case of the published test vectors of Standard Webhooks.
type vector struct {
	Name      string            `json:"name"`
	Secret    string            `json:"secret"`
	Headers   map[string]string `json:"headers"`
	Body      string            `json:"body"`
	Now       int64             `json:"now"`
	Tolerance int               `json:"tolerance_seconds"`
	Valid     bool              `json:"valid"`
}

func (v *vector) header() http.Header {
	h := http.Header{}
	for name, value := range v.Headers {
		h.Set(name, value)
	}
	return h
}

func TestThePublishedVectorsAreJudgedAsTheySay(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile(sharedtest.Dir(t, "data", "standard-webhooks", "vectors.json"))
	if err != nil {
		t.Fatal(err)
	}
	var vectors []vector
	if err := json.Unmarshal(raw, &vectors); err != nil || len(vectors) < 10 {
		t.Fatalf("%d vectors, %v", len(vectors), err)
	}
	for _, v := range vectors {
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			e, err := client.VerifyWebhookAt(v.Secret, v.header(), []byte(v.Body), time.Unix(v.Now, 0), time.Duration(v.Tolerance)*time.Second)
			if (err == nil) != v.Valid {
				t.Fatalf("got the error %v, want valid %v", err, v.Valid)
			}
			if !v.Valid && !errors.Is(err, client.ErrWebhook) {
				t.Errorf("got the error %v, want ErrWebhook", err)
			}
			if v.Valid && e.ID != v.Headers["webhook-id"] {
				t.Errorf("the id is %q, want %q", e.ID, v.Headers["webhook-id"])
			}
		})
	}
}

func TestASecretThatIsNoneIsTold(t *testing.T) {
	t.Parallel()
	for _, secret := range []string{"", "whsec_", "whsec_not base64!", "…"} {
		h := http.Header{"Webhook-Id": {"a"}, "Webhook-Timestamp": {"1"}, "Webhook-Signature": {"v1,"}}
		if _, err := client.VerifyWebhookAt(secret, h, nil, time.Unix(1, 0), time.Minute); err == nil || errors.Is(err, client.ErrWebhook) {
			t.Errorf("%q: got the error %v, want one that is about the secret", secret, err)
		}
	}
}
