package job

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash"
	"io"
	"strconv"
	"time"

	"github.com/promptd/promptd/internal/body"
	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/prompt"
	"github.com/promptd/promptd/internal/value"
)

// Upload is a job as lines of JSON: the first is the job without items, each of the others an item.
type Upload struct {
	Order
	Lines io.Reader
	// LineBytes bounds a line.
	LineBytes int
	// Sum has taken in what has to be the same beside the body under an idempotency key, and takes in the body. Order.Hash is made of it.
	Sum hash.Hash
	// Admit asks the caller's limits for so many prompts: for one before anything is read, which an upload that is refused has cost, and for the others when all lines
	// were read, or earlier where they are more than can ever be admitted.
	Admit func(ctx context.Context, prompts int) error
}

// Upload accepts a job that is sent in lines. It is read in portions, and kept as it comes; nobody sees it before all of it is there. One item that is wrong refuses
// the whole.
func (s *Service) Upload(ctx context.Context, in Upload) (Receipt, error) {
	lines := &lines{from: bufio.NewReaderSize(io.TeeReader(in.Lines, in.Sum), 64<<10), most: in.LineBytes}
	if err := in.Admit(ctx, 1); err != nil {
		return Receipt{}, err
	}
	d, err := s.header(lines)
	if err != nil {
		return Receipt{}, err
	}
	u := &upload{s: s, in: in, all: newItemReader(value.Null(), laterDefaults(s.cfg.Defaults()))}
	var made bool
	if u.sub, made, err = s.submission(ctx, in.Order, d); err != nil {
		return Receipt{}, err
	}
	if u.all.shared, err = decode(d.Job.Request); err != nil {
		return Receipt{}, err
	}
	if err := u.read(ctx, lines); err != nil {
		return Receipt{}, err
	}
	if rest := u.all.count - 1; rest > 0 {
		if err := in.Admit(ctx, rest); err != nil {
			return Receipt{}, err
		}
	}
	in.Sum.Sum(u.sub.Hash[:0])
	done, err := u.end(ctx)
	return receipt(done, made), err
}

// end keeps what is left, and accepts the job.
func (u *upload) end(ctx context.Context) (Submitted, error) {
	if !u.begun { // It fits into one transaction.
		u.sub.Items = u.portion
		return u.s.keep(ctx, u.sub)
	}
	if err := u.flush(ctx, u.portion); err != nil {
		return Submitted{}, err
	}
	return u.seal(ctx, u.sub.Hash)
}

// header reads the first line.
func (s *Service) header(lines *lines) (*Draft, error) {
	raw, err := lines.next()
	if errors.Is(err, io.EOF) {
		return nil, fault.Invalid("", "empty", "the upload is empty", `Send the job without items in the first line, such as {"schema": {…}}, and an item in each line behind it.`)
	}
	if err != nil {
		return nil, err
	}
	v, err := body.Decode(raw)
	if err != nil {
		return nil, atLine(err, lines.count)
	}
	if v.Kind() != value.KindObject {
		return nil, atLine(body.Open(v).Done(), lines.count)
	}
	d, rest, err := readOwn(v, time.Now())
	if err != nil {
		return nil, atLine(err, lines.count)
	}
	r := body.Open(rest)
	for _, field := range prompt.Shared() {
		r.Value(field)
	}
	for _, field := range []string{"items", "prompt", "messages"} {
		if _, given := r.Value(field); given {
			r.Fault(field, "exclusive", "the first line is the job without its prompts", "Send each prompt in a line of its own, behind the first.")
		}
	}
	if err := r.Done(); err != nil {
		return nil, atLine(err, lines.count)
	}
	if err := d.readShared(rest, laterDefaults(s.cfg.Defaults())); err != nil {
		return nil, atLine(err, lines.count)
	}
	return d, nil
}

// atLine says in which line a fault is.
func atLine(err error, line int) error {
	f := fault.Of(err)
	if f.Code == fault.Internal {
		return err
	}
	where := "line " + strconv.Itoa(line) + ": "
	f = f.Moved(func(e *fault.Entry) { e.Message = where + e.Message })
	f.Detail = where + f.Detail
	return f
}

// upload is a job whose items come in portions.
type upload struct {
	s       *Service
	in      Upload
	sub     Submission
	all     *itemReader
	portion []Item
	size    int // of the portion's texts
	begun   bool
	kept    int
}

// read reads every line behind the first. When something is wrong it goes on, for more that is, and keeps nothing more.
func (u *upload) read(ctx context.Context, lines *lines) error {
	for !u.all.full() {
		raw, err := lines.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if err := u.line(ctx, raw, lines.count); err != nil {
			return err
		}
	}
	if err := u.all.err(0); err != nil {
		return err
	}
	if u.all.count == 0 {
		return fault.Invalid("/items", "minItems", "there is no item behind the first line", "Send at least one.")
	}
	return nil
}

// line reads an item.
func (u *upload) line(ctx context.Context, raw []byte, count int) error {
	where := "line " + strconv.Itoa(count)
	if limit := u.in.Who.RateLimitPerHour; u.all.count+1 == limit+1 && limit > 0 {
		if err := u.in.Admit(ctx, u.all.count+1); err != nil {
			return err
		}
	}
	if u.all.count >= MostItems {
		return fault.Invalid("/items", "maxItems", fmt.Sprintf("there are more than %d items; one job takes so many", MostItems), "Send them in several jobs.")
	}
	v, err := body.Decode(raw)
	if err != nil {
		at := value.AppendIndex("/items", u.all.count)
		u.all.count++
		u.all.note(fault.Of(err).Under(at), where)
		return nil
	}
	read, ok := u.all.read(v, where)
	if !ok || u.all.first != nil {
		return nil
	}
	item, err := u.s.item(ctx, u.in.Who, u.sub.Job.ID, u.all.count-1, &read)
	switch {
	case err != nil && ctx.Err() != nil:
		return err
	case err != nil:
		u.all.note(err, where)
		return nil
	}
	u.portion = append(u.portion, item)
	if u.size += len(item.Request); len(u.portion) < mostSubmitted && u.size < mostPortion {
		return nil
	}
	err = u.flush(ctx, u.portion)
	clear(u.portion)
	u.portion, u.size = u.portion[:0], 0
	return err
}

// flush keeps a portion; the first one begins the job.
func (u *upload) flush(ctx context.Context, items []Item) error {
	store := u.s.cfg.Store
	if !u.begun {
		if _, err := retried(ctx, func(int) (struct{}, error) { return struct{}{}, store.Begin(ctx, u.sub) }); err != nil {
			return unkept(err)
		}
		u.begun = true
	}
	if len(items) == 0 {
		return nil
	}
	_, err := retried(ctx, func(int) (struct{}, error) { return struct{}{}, store.Append(ctx, u.sub.Job.ID, items) })
	if errors.Is(err, ErrNotFound) {
		return fault.New(fault.Timeout, "the upload rested for too long and was given up")
	}
	if err != nil {
		return unkept(err)
	}
	u.kept += len(items)
	return nil
}

// seal accepts the job.
func (u *upload) seal(ctx context.Context, sum [32]byte) (Submitted, error) {
	done, err := retried(ctx, func(int) (Submitted, error) { return u.s.cfg.Store.Seal(ctx, u.sub.Job.ID, u.kept, sum) })
	if errors.Is(err, ErrNotFound) {
		return done, fault.New(fault.Timeout, "the upload rested for too long and was given up")
	}
	return u.s.accepted(u.sub, u.kept, done, err)
}

// lines reads lines of bounded length; empty ones are passed over.
type lines struct {
	from  *bufio.Reader
	most  int
	count int
	buf   []byte
}

// next gives the next line, until io.EOF. It holds until the next call.
func (l *lines) next() ([]byte, error) {
	for {
		l.count++
		l.buf = l.buf[:0]
		var err error
		for more := true; more; more = errors.Is(err, bufio.ErrBufferFull) {
			var part []byte
			part, err = l.from.ReadSlice('\n')
			if len(l.buf)+len(part) > l.most {
				return nil, fault.New(fault.PayloadTooLarge, "line %d is longer than %d bytes (limits.body_bytes)", l.count, l.most)
			}
			l.buf = append(l.buf, part...)
		}
		line := bytes.TrimSpace(l.buf)
		switch {
		case len(line) > 0 && (err == nil || errors.Is(err, io.EOF)):
			return line, nil
		case errors.Is(err, io.EOF):
			return nil, io.EOF
		case err != nil:
			return nil, fault.New(fault.InvalidRequest, "the upload could not be read to its end").Because(err)
		}
	}
}
