package dropin

import (
	"strconv"
	"strings"

	"github.com/promptd/promptd/internal/prompt"
	"github.com/promptd/promptd/internal/value"
)

// mostTurns bounds a conversation.
const mostTurns = 2000

// readMessages reads the turns of chat completions. Members that nobody needs are stepped over: programs send back what they once got.
func readMessages(in *input) []prompt.Message {
	list, ok := turnsOf(in, "messages")
	if !ok {
		return nil
	}
	var turns []prompt.Message
	for i, m := range list.Items() {
		at := value.AppendIndex("/messages", i)
		if m.Kind() != value.KindObject {
			in.refuse(at, "type", "a message must be an object", "")
			continue
		}
		role, _ := m.Get("role")
		content, _ := m.Get("content")
		switch role.Text() {
		case "system", "developer":
			turns = said(turns, "system", texts(in, content, at+"/content"))
		case "user":
			turns = said(turns, "user", parts(in, content, at+"/content"))
		case "assistant":
			turns = said(turns, "assistant", calls(in, m, texts(in, content, at+"/content")))
		case "tool", "function":
			turns = said(turns, "user", resultOf(m, texts(in, content, at+"/content")))
		default:
			in.refuse(at+"/role", "enum", "there is no such role", "Use one of: system, developer, user, assistant, tool, function.")
		}
	}
	return turns
}

func turnsOf(in *input, name string) (value.Value, bool) {
	list, given := in.Value(name)
	switch {
	case !given:
		in.refuse("/"+name, "required", name+" is missing", "")
	case list.Kind() != value.KindArray:
		in.refuse("/"+name, "type", name+" must be an array", "")
	case list.Len() == 0:
		in.refuse("/"+name, "min_items", name+" is empty", "Send a turn of the user.")
	case list.Len() > mostTurns:
		in.refuse("/"+name, "max_items", name+" has more than "+strconv.Itoa(mostTurns)+" turns", "Send fewer.")
	default:
		return list, true
	}
	return list, false
}

// said adds a turn; one without parts is none.
func said(turns []prompt.Message, role string, parts []prompt.Part) []prompt.Message {
	if len(parts) == 0 {
		return turns
	}
	return append(turns, prompt.Message{Role: role, Parts: parts})
}

// texts reads content that may be text alone.
func texts(in *input, content value.Value, at string) []prompt.Part {
	list := parts(in, content, at)
	for _, p := range list {
		if p.Image != "" {
			in.refuse(at, "unsupported_part", "images stand in turns of the user alone", "")
			return nil
		}
	}
	return list
}

// parts reads a turn's content: a text, or a list of parts of either format.
func parts(in *input, content value.Value, at string) (list []prompt.Part) {
	switch content.Kind() {
	case value.KindNull:
		return nil
	case value.KindString:
		return text(nil, content.Text())
	case value.KindArray:
	default:
		in.refuse(at, "type", "content must be a string or an array of parts", "")
		return nil
	}
	for i, p := range content.Items() {
		here := value.AppendIndex(at, i)
		kind, _ := p.Get("type")
		switch kind.Text() {
		case "text", "input_text", "output_text":
			t, ok := p.Get("text")
			if !ok || t.Kind() != value.KindString {
				in.refuse(here+"/text", "type", "text must be a string", "")
				continue
			}
			list = text(list, t.Text())
		case "refusal":
			t, _ := p.Get("refusal")
			list = text(list, t.Text())
		case "image_url", "input_image":
			list = append(list, image(in, p, here)...)
		default:
			in.refuse(here+"/type", "unsupported_part", "parts of this type can't be read", "Send text, and images as data: URLs.")
		}
	}
	return list
}

func text(list []prompt.Part, s string) []prompt.Part {
	if s == "" {
		return list
	}
	return append(list, prompt.Part{Text: s})
}

// image reads an image part. Both formats have image_url; one has an object in it, the other the URL itself.
func image(in *input, p value.Value, at string) []prompt.Part {
	holder, at := p, at+"/image_url"
	url, _ := p.Get("image_url")
	if url.Kind() == value.KindObject {
		holder, at = url, at+"/url"
		url, _ = holder.Get("url")
	}
	detail, _ := holder.Get("detail")
	one := prompt.Part{Image: url.Text(), Detail: detail.Text()}
	switch one.Detail {
	case "low", "high":
	case "", "auto", "original":
		one.Detail = ""
	default:
		in.refuse(strings.TrimSuffix(at, "/url")+"/detail", "enum", "detail has a value that it does not take", "Use one of: auto, low, high.")
	}
	if !prompt.IsImage(one.Image) {
		// A provider that fetches a caller's URL is a request forgery by proxy.
		message := "an image must be a data: URL of a PNG, JPEG, WebP or GIF in base64"
		if strings.HasPrefix(one.Image, "http://") || strings.HasPrefix(one.Image, "https://") {
			message = "promptd does not fetch images from addresses: " + message
		}
		in.refuse(at, "format", message, "Send data:image/png;base64,….")
		return nil
	}
	return []prompt.Part{one}
}

// calls adds the calls of an assistant's turn to its text.
func calls(in *input, m value.Value, list []prompt.Part) []prompt.Part {
	add := func(function value.Value) {
		name, _ := function.Get("name")
		arguments, _ := function.Get("arguments")
		if name.Text() == "" {
			return
		}
		one := in.called(name.Text(), arguments.Text())
		if len(list) > 0 {
			one.Text = "\n\n" + one.Text // Parts of a turn are joined as they are.
		}
		list = append(list, one)
	}
	tools, _ := m.Get("tool_calls")
	for _, t := range tools.Items() {
		function, _ := t.Get("function")
		add(function)
	}
	function, _ := m.Get("function_call")
	add(function)
	return list
}

// called writes a call as text. One of the function that the answer calls was an answer, and is written as one.
func (in *input) called(name, arguments string) prompt.Part {
	if name == in.function {
		return prompt.Part{Text: arguments}
	}
	return prompt.Part{Text: "Call of " + name + ":\n" + arguments}
}

// resultOf writes what a tool gave as a turn of the user.
func resultOf(m value.Value, content []prompt.Part) []prompt.Part {
	name, _ := m.Get("name")
	head := "Result of the call:\n"
	if name.Text() != "" {
		head = "Result of " + name.Text() + ":\n"
	}
	if len(content) == 0 {
		return []prompt.Part{{Text: head}}
	}
	content[0].Text = head + content[0].Text
	return content
}

// readInput reads instructions and input of the responses.
func readInput(in *input) (turns []prompt.Message) {
	if instructions, given := in.Value("instructions"); given {
		turns = said(turns, "system", texts(in, instructions, "/instructions"))
	}
	if whole, given := in.Value("input"); given && whole.Kind() == value.KindString {
		return said(turns, "user", text(nil, whole.Text()))
	}
	list, ok := turnsOf(in, "input")
	if !ok {
		return nil
	}
	for i, item := range list.Items() {
		at := value.AppendIndex("/input", i)
		kind, _ := item.Get("type")
		content, _ := item.Get("content")
		switch {
		case item.Kind() != value.KindObject:
			in.refuse(at, "type", "an item of the input must be an object", "")
		case kind.Text() == "message" || kind.IsNull():
			role, _ := item.Get("role")
			switch role.Text() {
			case "system", "developer":
				turns = said(turns, "system", texts(in, content, at+"/content"))
			case "user":
				turns = said(turns, "user", parts(in, content, at+"/content"))
			case "assistant":
				turns = said(turns, "assistant", texts(in, content, at+"/content"))
			default:
				in.refuse(at+"/role", "enum", "there is no such role", "Use one of: system, developer, user, assistant.")
			}
		case kind.Text() == "function_call":
			name, _ := item.Get("name")
			arguments, _ := item.Get("arguments")
			turns = said(turns, "assistant", []prompt.Part{in.called(name.Text(), arguments.Text())})
		case kind.Text() == "function_call_output":
			output, _ := item.Get("output")
			turns = said(turns, "user", resultOf(item, texts(in, output, at+"/output")))
		case kind.Text() == "reasoning": // Thoughts of an earlier answer, which only their own model can read.
		default:
			in.refuse(at+"/type", "unsupported_item", "items of this type can't be read", "Send messages, function calls and their outputs.")
		}
	}
	return turns
}
