package api

import (
	"context"
	"crypto/sha256"
	"errors"
	"hash"
	"io"
	"mime"
	"net/http"
	"time"

	"github.com/promptd/promptd/internal/body"
	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/job"
)

// usualReceipt is room for the answer to a submission, in bytes.
const usualReceipt = 512

// submitJob is POST /v1/jobs: a prompt or a batch that is answered later. The Idempotency-Key is kept with the job and not by the general keeper, in the same
// transaction: a process that dies behind the commit leaves no second job to be made.
func (s *Server) submitJob(c *call) error {
	var err error
	if c.clientID, err = clientRequestID(c.r); err != nil {
		return err
	}
	name, err := idempotencyKey(c)
	if err != nil {
		return err
	}
	order := job.Order{Who: c.caller, Idempotency: name.Key}
	submit := s.submitBody
	if isLines(c.r.Header.Get("Content-Type")) {
		submit = s.submitLines
	}
	receipt, err := submit(c, order)
	if err != nil {
		return err
	}
	h := c.w.Header()
	h["Location"] = []string{receipt.Job.Path()}
	if receipt.Again {
		h["Idempotent-Replayed"] = []string{"true"}
	}
	return c.bytes(http.StatusAccepted, append(receipt.Append(make([]byte, 0, usualReceipt)), '\n'))
}

// submitBody takes a job as one JSON object.
func (s *Server) submitBody(c *call, order job.Order) (job.Receipt, error) {
	raw, draft, err := s.readJob(c)
	prompts := 1
	if err == nil {
		prompts = draft.Prompts()
	}
	refused := s.admitJob(c, prompts)
	if refused != nil {
		return job.Receipt{}, refused
	}
	if err != nil {
		return job.Receipt{}, err
	}
	if order.Idempotency != "" { // Nothing else asks for it.
		sum := c.summed()
		sum.Write(raw)
		sum.Sum(order.Hash[:0])
	}
	return s.deps.Jobs.Submit(c.r.Context(), order, draft)
}

func (s *Server) readJob(c *call) ([]byte, *job.Draft, error) {
	raw, err := c.raw()
	if err != nil {
		return nil, nil, err
	}
	v, err := body.Decode(raw)
	if err != nil {
		return nil, nil, err
	}
	draft, err := job.ReadSubmission(v, s.deps.Settings().Defaults, time.Now())
	return raw, draft, err
}

// submitLines takes a job as lines of JSON, which are kept as they come.
func (s *Server) submitLines(c *call, order job.Order) (job.Receipt, error) {
	if encoding := c.r.Header.Get("Content-Encoding"); encoding != "" && encoding != "identity" {
		return job.Receipt{}, fault.New(fault.UnsupportedMediaType, "a body with a content encoding is not taken")
	}
	settings := s.deps.Settings()
	if c.r.ContentLength > settings.UploadBytes {
		return job.Receipt{}, tooLong(settings.UploadBytes)
	}
	leave, err := c.lasts(s.uploads)
	if err != nil {
		return job.Receipt{}, err
	}
	defer leave()
	out := http.NewResponseController(c.w)
	receipt, err := s.deps.Jobs.Upload(c.r.Context(), job.Upload{
		Order: order, LineBytes: int(settings.BodyBytes), Sum: c.summed(),
		Lines: &patientReader{http.MaxBytesReader(c.w.ResponseWriter, c.r.Body, settings.UploadBytes), out},
		Admit: func(_ context.Context, prompts int) error { return s.admitJob(c, prompts) },
	})
	_ = out.SetReadDeadline(time.Time{}) //nolint:errcheck // Tests have no connection to set it on.
	var over *http.MaxBytesError
	if errors.As(err, &over) {
		return job.Receipt{}, tooLong(settings.UploadBytes)
	}
	return receipt, err
}

// admitJob counts a job's prompts against the caller's limits.
func (s *Server) admitJob(c *call, prompts int) error {
	admission, err := s.deps.Pipeline.Admit(c.r.Context(), c.caller, prompts)
	limitHeaders(c, admission)
	return err
}

// summed is the beginning of the hash of what has to be the same under an idempotency key.
func (c *call) summed() hash.Hash {
	sum := sha256.New()
	_, _ = io.WriteString(sum, c.r.Method+" "+c.r.URL.Path+"\n") //nolint:errcheck // A hash takes everything.
	return sum
}

// patientReader reads an upload that may take its time, as long as something comes.
type patientReader struct {
	from io.Reader
	out  *http.ResponseController
}

// Read waits for as long as one event may take to get out.
func (p *patientReader) Read(b []byte) (int, error) {
	_ = p.out.SetReadDeadline(time.Now().Add(patience)) //nolint:errcheck // Tests have no connection to set it on.
	return p.from.Read(b)
}

func tooLong(most int64) error {
	return fault.New(fault.PayloadTooLarge, "the upload is larger than %d bytes (limits.upload_bytes)", most)
}

// isLines says whether a body is JSON in lines.
func isLines(contentType string) bool {
	kind, _, err := mime.ParseMediaType(contentType)
	return err == nil && (kind == mediaLines || kind == "application/jsonl")
}

// jobID is the job that the path names.
func (c *call) jobID() job.ID { return job.ID(c.r.PathValue("id")) }
