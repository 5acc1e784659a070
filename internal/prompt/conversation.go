package prompt

import (
	"github.com/promptd/promptd/internal/body"
	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/schema"
)

// A conversation is what a program sends that speaks a chat format: its system and user turns are the developer's own instructions, and what is foreign in
// them only the developer knows. So nothing is fenced, and the meta-prompt speaks of the answer's form alone.

// conversation builds the messages of a first attempt: the form of the answer, then the turns as they are meant. Neighbouring turns of one role become one
// message, as in Messages.
func (m MetaPrompt) conversation(turns []Message) []dialect.Message {
	return behind(text(dialect.System, m.chat()), turns)
}

// Turns gives a conversation as it is, without any instruction of promptd's.
func Turns(turns []Message) []dialect.Message { return behind(dialect.Message{}, turns) }

// behind puts the turns behind a first message; one without parts is none.
func behind(first dialect.Message, turns []Message) []dialect.Message {
	messages := make([]dialect.Message, 0, 1+len(turns))
	if len(first.Parts) > 0 {
		messages = append(messages, first)
	}
	for _, turn := range turns {
		role := roleOf(turn.Role)
		parts := make([]dialect.Part, 0, len(turn.Parts))
		for _, part := range turn.Parts {
			parts = append(parts, dialect.Part{Text: part.Text, Image: part.Image, Detail: part.Detail})
		}
		if n := len(messages); n > 0 && messages[n-1].Role == role {
			last := &messages[n-1]
			if len(parts) > 0 && parts[0].Image == "" {
				parts[0].Text = "\n\n" + parts[0].Text // Texts of one message are joined as they are.
			}
			last.Parts = append(last.Parts, parts...)
			continue
		}
		messages = append(messages, dialect.Message{Role: role, Parts: parts})
	}
	return messages
}

func roleOf(name string) dialect.Role {
	switch name {
	case "system":
		return dialect.System
	case "assistant":
		return dialect.Assistant
	default:
		return dialect.User
	}
}

// ReadOptions reads the options of a request whose format is not promptd's own, from the object that holds them there.
// Such a format has no room for questions, so that nobody is asked back there.
func ReadOptions(r *body.Reader, d Defaults) Options {
	o := readOptions(r, d)
	if o.Missing != MissingNull {
		r.Fault("missing", "unsupported", "this endpoint can't ask back", "Leave it out, or use POST /v1/analyze.")
	}
	return o
}

// IsImage tells whether a URL is one of the data: URLs that image parts may have.
func IsImage(url string) bool { return isDataURL(url) }

// AnyObject tells the schema that asks for an object and for nothing else: what programs mean by JSON mode.
func AnyObject(s *schema.Schema) bool {
	kind, _ := s.Value().Get("type")
	return s.Value().Len() == 1 && kind.Text() == "object"
}
