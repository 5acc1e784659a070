package observe

import (
	"bytes"
	"strings"
)

// masked stands for what must not be in a log.
const masked = "[masked]"

// secretKey reports whether an attribute's name says that its value is a secret or a caller's text.
// Counts of tokens are neither, so token counts only as a word at the end.
func secretKey(key string) bool {
	k := strings.Map(func(r rune) rune {
		switch {
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		case r == '-' || r == '_' || r == '.' || r == ' ':
			return -1
		}
		return r
	}, key)
	for _, part := range [...]string{"secret", "password", "passwd", "passphrase", "apikey", "authorization", "cookie", "credential", "privatekey", "accesskey"} {
		if strings.Contains(k, part) {
			return true
		}
	}
	if strings.HasSuffix(k, "token") && k != "firsttoken" {
		return true
	}
	switch k {
	case "prompt", "messages", "prompttext", "completion", "requestbody", "responsebody", "body", "answer":
		return true
	}
	return false
}

// secretForm is how credentials that got into a text are recognised: a prefix and at least so many characters after it.
type secretForm struct {
	prefix string
	least  int
}

func secretForms() [8]secretForm {
	return [...]secretForm{{"pd_live_", 6}, {"pd_test_", 6}, {"whsec_", 6}, {"Bearer ", 8}, {"sk-", 16}, {"gsk_", 16}, {"xai-", 16}, {"AIza", 20}}
}

// redactLine masks credentials in a formatted line, in place where it can. It is the last guard, for what got into a text
// such as the error of a library; it keeps JSON valid, since it replaces only characters that need no escaping.
func redactLine(line []byte) []byte {
	for _, f := range secretForms() {
		for from := 0; ; {
			at := bytes.Index(line[from:], []byte(f.prefix))
			if at < 0 {
				break
			}
			start := from + at + len(f.prefix)
			// In the middle of a word it is something else: task-… is no key.
			inWord := start > len(f.prefix) && tokenChar(line[start-len(f.prefix)-1])
			end := start
			for end < len(line) && tokenChar(line[end]) {
				end++
			}
			from = end
			if !inWord && end-start >= f.least {
				line = append(line[:start], append([]byte(masked), line[end:]...)...)
				from = start + len(masked)
			}
		}
	}
	return redactUserinfo(line)
}

// redactUserinfo masks user and password in URLs.
func redactUserinfo(line []byte) []byte {
	for from := 0; ; {
		at := bytes.Index(line[from:], []byte("://"))
		if at < 0 {
			return line
		}
		start := from + at + 3
		end := start
		for end < len(line) && line[end] > ' ' && line[end] != '"' && line[end] != '/' && line[end] != '\\' && line[end] != '@' {
			end++
		}
		from = end
		if end < len(line) && line[end] == '@' && end > start {
			line = append(line[:start], append([]byte(masked), line[end:]...)...)
			from = start + len(masked)
		}
	}
}

func tokenChar(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c == '-' || c == '.' || c == '~' || c == '+' || c == '/' || c == '='
}
