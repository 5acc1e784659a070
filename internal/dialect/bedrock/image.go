package bedrock

import (
	"errors"
	"strings"

	"github.com/promptd/promptd/internal/value"
)

var errImage = errors.New("bedrock: an image is a data: URL in base64 of type png, jpeg, gif or webp; the service fetches no addresses")

// appendImage writes the data that stand in a data: URL as a block.
func appendImage(dst []byte, address string) ([]byte, error) {
	const scheme = "data:"
	if len(address) < len(scheme) || !strings.EqualFold(address[:len(scheme)], scheme) {
		return nil, errImage
	}
	head, content, _ := strings.Cut(address[len(scheme):], ",")
	media, parameters, _ := strings.Cut(head, ";")
	format := ""
	switch strings.ToLower(media) {
	case "image/png":
		format = "png"
	case "image/jpeg", "image/jpg":
		format = "jpeg"
	case "image/gif":
		format = "gif"
	case "image/webp":
		format = "webp"
	}
	if format == "" || content == "" || !strings.EqualFold(parameters[strings.LastIndexByte(parameters, ';')+1:], "base64") {
		return nil, errImage
	}
	dst = append(append(dst, `{"image":{"format":"`...), format...)
	dst = append(dst, `","source":{"bytes":`...)
	return append(value.AppendQuoted(dst, content), `}}}`...), nil
}
