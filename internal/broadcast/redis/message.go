package redis

import (
	"errors"
	"slices"
	"strings"

	"github.com/promptd/promptd/internal/broadcast"
)

// message is one line of the channel: the version of the form, its kind, the process it comes from, the topic, and the payload behind a colon.
//
//	1mKZ3L…:keys:the payload, any bytes
type message struct {
	origin  string
	kind    byte
	topic   broadcast.Topic
	payload string
}

const (
	version    = '1'
	told       = 'm'
	missed     = 'x'
	originSize = 16
)

var errForeign = errors.New("broadcast: not a message of this version")

func (m message) text() string {
	var b strings.Builder
	b.Grow(4 + len(m.origin) + len(m.topic) + len(m.payload))
	b.WriteByte(version)
	b.WriteByte(m.kind)
	b.WriteString(m.origin)
	b.WriteByte(':')
	b.WriteString(string(m.topic))
	b.WriteByte(':')
	b.WriteString(m.payload)
	return b.String()
}

// parse reads a message. Anybody who may use the server may write to the channel, and a later version may know more topics.
func parse(text string) (message, error) {
	const head = 2 + originSize
	if len(text) < head+2 || text[0] != version || text[head] != ':' {
		return message{}, errForeign
	}
	m := message{kind: text[1], origin: text[2:head]}
	topic, payload, ok := strings.Cut(text[head+1:], ":")
	m.topic, m.payload = broadcast.Topic(topic), payload
	if !ok || m.kind != told && m.kind != missed || !slices.Contains(broadcast.Topics(), m.topic) || len(payload) > broadcast.MaxPayload {
		return message{}, errForeign
	}
	return m, nil
}
