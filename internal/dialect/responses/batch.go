package responses

import (
	"io"
	"iter"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/dialect/openai"
)

// Batches are those of chat completions, with another endpoint and other bodies.

// endpoint is what a line of a batch is sent to.
const endpoint = "/v1/responses"

// BatchBounds are those of chat completions.
func (Dialect) BatchBounds() dialect.BatchBounds { return openai.BatchBounds() }

// BatchEntry makes a line of the input file.
func (d Dialect) BatchEntry(id string, c dialect.Call) ([]byte, error) {
	return openai.BatchEntry(d, endpoint, id, c)
}

// BatchRequests gives the requests of a step.
func (Dialect) BatchRequests(step dialect.BatchStep, b *dialect.Batch, entries [][]byte) ([]dialect.Request, error) {
	return openai.BatchRequests(endpoint, step, b, entries)
}

// DecodeBatch reads a file object or a batch object.
func (Dialect) DecodeBatch(step dialect.BatchStep, body io.Reader) (dialect.Batch, error) {
	return openai.DecodeBatch(step, body)
}

// DecodeBatches reads a page of batch objects.
func (Dialect) DecodeBatches(body io.Reader) ([]dialect.Batch, string, error) {
	return openai.DecodeBatches(body)
}

// BatchResults reads the output file or the error file.
func (d Dialect) BatchResults(body io.Reader) iter.Seq2[dialect.BatchResult, error] {
	return openai.BatchResults(d, body)
}

var _ dialect.Batcher = Dialect{}
