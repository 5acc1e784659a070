package chaos

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/promptd/promptd/client"
)

// receiver is where webhooks go. It keeps every receipt, also those that it refuses to have had.
type receiver struct {
	*httptest.Server
	secret string
	// ill says that some messages are refused after they were read, and some connections break.
	ill bool
	// tolerance is how old messages may be: one that waited in a paused process is as old as the pause.
	tolerance time.Duration

	mu sync.Mutex

	down     bool
	receipts map[string][]receipt // By job.
	unsigned []string
	tries    int64
}

// receipt is one message as it came.
type receipt struct {
	id, event, body string
	run             int
	at              time.Time
	taken           bool
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{tolerance: client.WebhookTolerance, secret: "whsec_" + base64.StdEncoding.EncodeToString([]byte("a secret of thirty-two bytes....")), receipts: map[string][]receipt{}}
	r.Server = httptest.NewServer(http.HandlerFunc(r.take))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) take(w http.ResponseWriter, req *http.Request) {
	raw, err := io.ReadAll(req.Body)
	if err != nil {
		return
	}
	r.mu.Lock()
	down := r.down
	r.tries++
	r.mu.Unlock()
	if down {
		http.Error(w, "down", http.StatusServiceUnavailable)
		return
	}
	e, err := client.VerifyWebhookAt(r.secret, req.Header, raw, time.Now(), r.tolerance)
	if err != nil {
		r.mu.Lock()
		r.unsigned = append(r.unsigned, err.Error()+": "+string(raw))
		r.mu.Unlock()
		http.Error(w, "not signed", http.StatusBadRequest)
		return
	}
	var data struct {
		JobID string `json:"job_id"`
		Run   int
	}
	if err := json.Unmarshal(e.Data, &data); err != nil {
		r.mu.Lock()
		r.unsigned = append(r.unsigned, err.Error()+": "+string(raw))
		r.mu.Unlock()
		return
	}
	one := receipt{id: e.ID, event: e.Type, run: data.Run, at: time.Now(), taken: true, body: string(e.Data)}
	r.mu.Lock()
	chance := draw(data.JobID, int64(len(r.receipts[data.JobID]))) % 100
	one.taken = !r.ill || chance >= 4
	r.receipts[data.JobID] = append(r.receipts[data.JobID], one)
	r.mu.Unlock()
	switch {
	case one.taken:
		w.WriteHeader(http.StatusNoContent)
	case chance < 3:
		http.Error(w, "in trouble", http.StatusInternalServerError)
	default:
		panic(http.ErrAbortHandler)
	}
}

// of gives the messages of a job.
func (r *receiver) of(job string) []receipt {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.receipts[job])
}

// all gives the messages of every job, and what came without a right signature.
func (r *receiver) all() (receipts map[string][]receipt, unsigned []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.receipts), slices.Clone(r.unsigned)
}

// away makes the receiver refuse everything unread, or take again.
func (r *receiver) away(down bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.down = down
}

func (r *receiver) tried() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.tries
}
