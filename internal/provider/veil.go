package provider

import "bytes"

// veil keeps an account's key out of a stream that is handed on: some services quote the key in their errors. A key may lie across two reads, so what may be its
// beginning waits for what follows.
type veil struct {
	key  []byte
	next func([]byte) error
	held []byte
}

// hidden stands in the place of a key. It needs no escape in JSON.
const hidden = "***"

func (v *veil) write(b []byte) error {
	if len(v.held) > 0 {
		b = append(v.held, b...) //nolint:gocritic // The old beginning is not used again.
		v.held = nil
	}
	if bytes.Contains(b, v.key) {
		b = bytes.ReplaceAll(b, v.key, []byte(hidden))
	}
	if n := v.begun(b); n > 0 {
		v.held = bytes.Clone(b[len(b)-n:])
		b = b[:len(b)-n]
	}
	if len(b) == 0 {
		return nil
	}
	return v.next(b)
}

// begun is the length of the longest end of b with which the key may begin.
func (v *veil) begun(b []byte) int {
	end := b[max(0, len(b)-len(v.key)+1):]
	for {
		at := bytes.IndexByte(end, v.key[0])
		if at < 0 {
			return 0
		}
		if end = end[at:]; bytes.HasPrefix(v.key, end) {
			return len(end)
		}
		end = end[1:]
	}
}

// end hands on what waits: nothing follows it.
func (v *veil) end() error {
	if len(v.held) == 0 {
		return nil
	}
	held := v.held
	v.held = nil
	return v.next(held)
}
