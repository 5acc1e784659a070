package chaos

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
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
	id, event, status, completedAt string
	run                            int
	taken                          bool
	body                           string
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
		JobID       string `json:"job_id"`
		Status      string
		Run         int
		CompletedAt string `json:"completed_at"`
	}
	if err := json.Unmarshal(e.Data, &data); err != nil {
		r.mu.Lock()
		r.unsigned = append(r.unsigned, err.Error()+": "+string(raw))
		r.mu.Unlock()
		return
	}
	one := receipt{id: e.ID, event: e.Type, status: data.Status, completedAt: data.CompletedAt, run: data.Run, taken: true, body: string(e.Data)}
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

func (r *receiver) of(job string) []receipt {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.receipts[job]
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

// judge says what is wrong with the receipts of a job that ended in a state.
func (r *receiver) judge(job, state string) error {
	all := r.of(job)
	ids, taken := map[string]bool{}, false
	for _, one := range all {
		ids[one.id] = true
		taken = taken || one.taken
		if one.event != "job."+state || one.status != state {
			return errors.New("a message says " + one.event + " of a job that is " + state)
		}
		if one.body != all[0].body {
			return errors.New("two messages of one job differ: " + all[0].body + " and " + one.body)
		}
	}
	switch {
	case !taken:
		return errors.New("no message was taken")
	case len(ids) != 1:
		var list []string
		for id := range ids {
			list = append(list, id)
		}
		return errors.New("it has several webhook-ids: " + strings.Join(list, ", "))
	}
	return nil
}
