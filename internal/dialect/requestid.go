package dialect

import "net/http"

// RequestID is the service's name for a call, which its support asks for: from the headers, else the one that the body has. A stream's reader sees no headers;
// whoever carries the stream calls this at its end.
func RequestID(h http.Header, body string) string {
	for _, name := range [...]string{"Request-Id", "X-Request-Id", "X-Amzn-Requestid", "Apim-Request-Id"} {
		if v := h[name]; len(v) > 0 && v[0] != "" {
			return v[0]
		}
	}
	return body
}
