package anthropic

import (
	"errors"
	"strings"

	"github.com/promptd/promptd/internal/value"
)

var errImage = errors.New("anthropic: an image is an https: URL, or a data: URL with a media type and base64")

// appendImage writes an image as a block: the address, or the data that stand in a data: URL.
func appendImage(dst []byte, address string) ([]byte, error) {
	rest, data := cutPrefixFold(address, "data:")
	if !data {
		dst = append(dst, `{"type":"image","source":{"type":"url","url":`...)
		return append(value.AppendQuoted(dst, address), `}}`...), nil
	}
	head, content, ok := strings.Cut(rest, ",")
	media, parameters, _ := strings.Cut(head, ";")
	if !ok || media == "" || content == "" || !strings.EqualFold(parameters[strings.LastIndexByte(parameters, ';')+1:], "base64") {
		return nil, errImage
	}
	dst = append(dst, `{"type":"image","source":{"type":"base64","media_type":`...)
	dst = value.AppendQuoted(dst, strings.ToLower(media))
	dst = append(dst, `,"data":`...)
	return append(value.AppendQuoted(dst, content), `}}`...), nil
}

// cutPrefixFold is strings.CutPrefix without regard to case: so are schemes of URLs.
func cutPrefixFold(s, prefix string) (rest string, found bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return s, false
	}
	return s[len(prefix):], true
}
