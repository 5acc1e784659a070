package client

import (
	"errors"
	"math/rand/v2"
	"net"
	"net/http"
	"time"
)

const (
	firstWait = 200 * time.Millisecond
	mostWait  = 5 * time.Second
	// mostServerWait bounds the wait that a server asks for: whoever must wait longer is told instead.
	mostServerWait = 30 * time.Second
)

// again says whether a failed call may be sent once more, and after which wait.
func again(err error, repeatable bool, try int) (time.Duration, bool) {
	backoff := min(firstWait<<min(try, 10), mostWait)
	backoff = backoff/2 + rand.N(backoff/2+1) //nolint:gosec // Jitter needs no secrecy.
	var fault *Error
	if errors.As(err, &fault) {
		wait := max(fault.RetryAfter, backoff)
		switch {
		case wait > mostServerWait:
			return 0, false
		case fault.Status == http.StatusTooManyRequests, fault.Status == http.StatusServiceUnavailable:
			return wait, true
		case fault.Code == "" && (fault.Status == http.StatusBadGateway || fault.Status == http.StatusGatewayTimeout):
			// Something in between answered. promptd's own 502 and 504 come after it has tried everything itself.
			return wait, repeatable
		}
		return 0, false
	}
	var lost *UnreachableError
	if errors.As(err, &lost) {
		return backoff, repeatable || neverSent(err)
	}
	return 0, false
}

// neverSent recognises a connection that was not made, so that the server saw nothing of the call.
func neverSent(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}
