package cache

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"strings"

	"github.com/promptd/promptd/internal/broadcast"
)

// A message of drops is a list of texts, each behind its length: who sends it, a team, and the team's tags as Tag.String writes them.

func newOrigin() string { return rand.Text()[:16] }

var errPayload = errors.New("cache: not a message of drops")

// payloads writes messages that drop the tags. Tags of several teams, and more than a message takes, make several.
func payloads(origin string, tags []Tag) []string {
	var all []string
	var message []byte
	team, begun := "", false
	flush := func() {
		if begun {
			all = append(all, string(message))
		}
		begun = false
	}
	for _, tag := range tags {
		text := tag.String()
		if text == "" {
			continue // The zero Tag is carried by nothing.
		}
		if len(origin)+len(tag.team)+len(text)+4*binary.MaxVarintLen32 > broadcast.MaxPayload {
			text = AllTag(tag.team).String()
		}
		if begun && (tag.team != team || len(message)+len(text)+binary.MaxVarintLen32 > broadcast.MaxPayload) {
			flush()
		}
		if !begun {
			team, begun = tag.team, true
			message = appendText(appendText(nil, origin), team)
		}
		message = appendText(message, text)
	}
	flush()
	return all
}

func appendText(dst []byte, text string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(text))), text...)
}

// parsePayload reads a message of drops.
func parsePayload(payload string) (origin string, tags []Tag, err error) {
	var texts []string
	for rest := []byte(payload); len(rest) > 0; {
		n, size := binary.Uvarint(rest)
		if size <= 0 || n > uint64(len(rest)-size) {
			return "", nil, errPayload
		}
		end := size + int(n) //nolint:gosec // It lies within rest.
		texts = append(texts, string(rest[size:end]))
		rest = rest[end:]
	}
	if len(texts) < 3 {
		return "", nil, errPayload
	}
	for _, text := range texts[2:] {
		tag, ok := TagOf(texts[1], text)
		if !ok {
			return "", nil, errPayload
		}
		tags = append(tags, tag)
	}
	return texts[0], tags, nil
}

// TagOf reads what Tag.String wrote, for a team. Unlike ParseTag, which reads what users write, it takes every tag that was ever made.
func TagOf(team, text string) (Tag, bool) {
	kind, value, _ := strings.Cut(text, "=")
	switch kind {
	case "all":
		return AllTag(team), value == "true"
	case "key":
		k, err := ParseKey(team, value)
		return KeyTag(k), err == nil
	case "schema":
		return SchemaTag(team, value), true
	case "template":
		return TemplateTag(team, value), true
	}
	return Tag{}, false
}
