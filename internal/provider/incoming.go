package provider

import (
	"context"
	"errors"
	"io"
	"net/http"

	"github.com/promptd/promptd/internal/dialect"
)

// fail reads an answer whose status is not 200. Its status and the beginning of its body say what it is: a body that is long or breaks off is no other failure.
func (p *Provider) fail(ctx context.Context, resp *http.Response) (body []byte, failed error) {
	body, err := io.ReadAll(io.LimitReader(resp.Body, mostErrorBody))
	if err != nil && ctx.Err() != nil {
		return nil, transport(ctx, err)
	}
	return body, p.account.Dialect.Fail(dialect.Response{Status: resp.StatusCode, Header: resp.Header, Body: body})
}

// bounded is a stream that may not be longer than so many bytes.
type bounded struct {
	src  io.Reader
	left int64
}

// Read answers errTooLong where the stream goes on beyond its bound.
func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errTooLong
	}
	if int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := b.src.Read(p)
	b.left -= int64(n)
	return n, err
}

// broken is the error of a stream that ends before its answer does. What the dialect says of it counts, but for what a codec cannot know: whose time was over,
// who left, and that it was this package that read no further.
func broken(ctx context.Context, err error) error {
	var judged *dialect.Error
	if !errors.As(err, &judged) {
		return err
	}
	switch {
	case errors.Is(err, errTooLong):
		judged.Outcome, judged.Code = dialect.Invalid, dialect.CodeTooLarge
	case ctx.Err() != nil && judged.Code == dialect.CodeStreamCut:
		judged.Outcome = transport(ctx, judged.Cause).Outcome
	}
	return judged
}
