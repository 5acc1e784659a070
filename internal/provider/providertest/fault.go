package providertest

import "slices"

// Fault is a way in which an exchange goes wrong, but for the answer's text.
type Fault string

// The faults. Those up to Stalled pass: the same request may work again. Those up to Trailing are drawn only where they are named: some of them cost time. The
// others are refusals of the request or of the account.
const (
	RateLimited      Fault = "rate_limited"       // 429 that asks to wait, in one of the forms in use
	Overloaded       Fault = "overloaded"         // 503
	ServerError      Fault = "server_error"       // 500
	GatewayPage      Fault = "gateway_page"       // 502 with a page of HTML
	ErrorInside      Fault = "error_inside"       // 200 with an error in the body, or in the middle of the stream
	NotJSON          Fault = "not_json"           // 200 with a proxy's plain text
	EmptyBody        Fault = "empty_body"         // 200 and nothing more
	CutBeforeHeaders Fault = "cut_before_headers" // the connection ends without an answer
	CutBody          Fault = "cut_body"           // … within the body or the stream
	LengthTooLong    Fault = "length_too_long"    // Content-Length counts more than comes
	LengthTooShort   Fault = "length_too_short"   // … less than the answer has
	NoEnd            Fault = "no_end"             // the body ends in order, the JSON or the stream does not
	SlowFirstByte    Fault = "slow_first_byte"    // right, after Settings.Slow
	Stalled          Fault = "stalled"            // some bytes at most, then nothing for Settings.Stall, then a cut

	Reset        Fault = "reset"         // the connection is reset within the body or the stream
	StalledFirst Fault = "stalled_first" // the headers, then nothing for Settings.Stall, then a cut
	StalledLater Fault = "stalled_later" // … some of the body, then nothing
	Drip         Fault = "drip"          // right, byte by byte, with Settings.Drip between two
	Oversize     Fault = "oversize"      // an answer that never ends, of 64 MiB
	Garbage      Fault = "garbage"       // 200 with bytes that mean nothing
	Trailing     Fault = "trailing"      // right, with bytes that mean nothing behind the answer

	Unauthorized    Fault = "unauthorized"     // 401
	QuotaExceeded   Fault = "quota_exceeded"   // 429 insufficient_quota
	BadRequest      Fault = "bad_request"      // 400
	SchemaRejected  Fault = "schema_rejected"  // 400 invalid_json_schema
	ContextExceeded Fault = "context_exceeded" // 400 context_length_exceeded
	ContentBlocked  Fault = "content_blocked"  // 400 content_filter
	TooLarge        Fault = "too_large"        // 413
	Redirected      Fault = "redirected"       // 307 to elsewhere
)

// Transient lists the faults that pass.
func Transient() []Fault {
	return []Fault{
		RateLimited, Overloaded, ServerError, GatewayPage, ErrorInside, NotJSON, EmptyBody, CutBeforeHeaders, CutBody, LengthTooLong, LengthTooShort, NoEnd,
		SlowFirstByte, Stalled,
	}
}

// Faults lists all faults.
func Faults() []Fault {
	return append(Transient(), Reset, StalledFirst, StalledLater, Drip, Oversize, Garbage, Trailing,
		Unauthorized, QuotaExceeded, BadRequest, SchemaRejected, ContextExceeded, ContentBlocked, TooLarge, Redirected)
}

func (f Fault) known() bool { return slices.Contains(Faults(), f) }

// Class is the kind of an answer's text.
type Class string

// The classes.
const (
	Valid     Class = "valid"
	Invalid   Class = "invalid"
	Malformed Class = "malformed"
	Truncated Class = "truncated"
	Refused   Class = "refused"
	Filtered  Class = "filtered"
	Scripted  Class = "scripted" // from the queue
)
