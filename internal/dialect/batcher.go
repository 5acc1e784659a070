package dialect

import (
	"io"
	"iter"
	"time"
)

// Batcher is a dialect whose services take many calls at once and answer within a day, at a lower price. As elsewhere in a dialect there is no network: it makes
// requests and reads answers, and package provider carries both. An answer whose status is not 2xx is read by Fail.
type Batcher interface {
	Dialect
	// BatchBounds are what the services take in one batch.
	BatchBounds() BatchBounds
	// BatchEntry encodes a call of a batch under an id of 1 to 64 letters, digits, _ and -. It is never streamed.
	BatchEntry(id string, c Call) ([]byte, error)
	// BatchRequests gives the requests of a step, in their order; none where the services have no such step. Entries are looked at by the first step alone:
	// BatchUpload where there is one, else BatchCreate. Of the batch a step takes what its comment says.
	BatchRequests(step BatchStep, b *Batch, entries [][]byte) ([]Request, error)
	// DecodeBatch reads the answer to BatchUpload, BatchCreate and BatchLook. The error is a *Error.
	DecodeBatch(step BatchStep, body io.Reader) (Batch, error)
	// DecodeBatches reads the answer to BatchList, and gives the cursor of the next page; empty behind the last one. The error is a *Error.
	DecodeBatches(body io.Reader) (page []Batch, next string, err error)
	// BatchResults reads the answer to one of BatchFetch's requests. A result that can't be read has an Err, and an empty ID where not even that can be; the
	// others are read all the same. An error ends it, is a *Error, and says that what came is not all: it is to be fetched again.
	BatchResults(body io.Reader) iter.Seq2[BatchResult, error]
}

// BatchBounds are the most that fits one batch; longer ones are refused as a whole.
type BatchBounds struct {
	// Entries is their number, Bytes the sum of what BatchEntry gives.
	Entries, Bytes int
	// Labels says that a batch can be found again by its label: its creation need not have been answered.
	Labels bool
}

// BatchStep is a step in the life of a batch.
type BatchStep uint8

// The steps, with what they take of a Batch.
const (
	// BatchUpload brings the entries to the service, where creation names them only. It takes the Label; its answer has the InputFile.
	BatchUpload BatchStep = iota
	// BatchCreate begins a batch. It takes Label, Model and InputFile.
	BatchCreate
	// BatchLook asks for the state; it takes the ID, as all further steps do.
	BatchLook
	// BatchList asks for a page of the account's batches, the newest first; the ID is the cursor, empty for the first page.
	BatchList
	// BatchFetch asks for the results. It takes what BatchLook gave, and may be several requests.
	BatchFetch
	// BatchCancel ends a batch early. What was answered by then may still be fetched.
	BatchCancel
	// BatchForget deletes what the service keeps of a batch that has ended: prompts and answers. It takes what BatchLook gave.
	BatchForget
)

// Batch is what is known of a batch at a service.
type Batch struct {
	// Label is promptd's own name of the batch: letters, digits, _ and -.
	Label string
	// ID is the service's.
	ID    string
	Model string
	State BatchState
	// InputFile, OutputFile and ErrorFile are the service's names of files, where it has such.
	InputFile, OutputFile, ErrorFile string
	// CreatedAt and ExpiresAt are the service's; zero where it does not say them.
	CreatedAt, ExpiresAt time.Time
	// Code is the service's own reason of a failure, cut to 100 characters.
	Code string
}

// BatchState says how far a batch is.
type BatchState uint8

// The states. A native state that is not known is BatchUnknown, which is looked at again and never taken for an end.
const (
	BatchUnknown BatchState = iota
	BatchQueued
	BatchRunning
	// BatchDone has results; some of its calls may have failed.
	BatchDone
	// BatchFailed was not begun, or has no results.
	BatchFailed
	// BatchExpired ran out of time, and BatchCancelled was ended; either may have some results.
	BatchExpired
	BatchCancelled
)

// String names the state.
func (s BatchState) String() string {
	names := [...]string{"unknown", "queued", "running", "done", "failed", "expired", "cancelled"}
	if int(s) < len(names) {
		return names[s]
	}
	return names[0]
}

// Ended says that nothing more will happen to the batch.
func (s BatchState) Ended() bool { return s >= BatchDone && s <= BatchCancelled }

// BatchResult is what became of one call of a batch: a reply, or why there is none.
type BatchResult struct {
	ID    string
	Reply Reply
	// Err is nil where there is a reply. Its outcome is that of a direct call; a call that was not made since the batch ended before is Cancelled and has the code
	// CodeBatchExpired or CodeBatchCancelled.
	Err *Error
}

// The codes of results that are none.
const (
	CodeBatchExpired   = "batch_expired"
	CodeBatchCancelled = "batch_cancelled"
	CodeBatchMalformed = "malformed_result"
)

// MalformedResult is a result that can't be read, of the call with that id, if any.
func MalformedResult(id string) BatchResult {
	return BatchResult{ID: id, Err: &Error{Outcome: Unknown, Code: CodeBatchMalformed}}
}

// Unmade is the result of a call that was not made, for one of the codes above.
func Unmade(id, code string) BatchResult {
	return BatchResult{ID: id, Err: &Error{Outcome: Cancelled, Code: code}}
}
