package dropin

import (
	"strings"
	"time"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/value"
)

// A schema can stand in three places: response_format (text.format among the responses), the parameters of the one tool that the model is forced to call, and
// the same in the older spelling. Where a request has both a format and tools that the model may call, nobody can say which of them the answer will be.

// answerForm finds out what the answer has to be.
func (q *Request) answerForm(in *input) {
	defer q.limitTime()
	called := q.forcedTool(in)
	if q.Form != Free || called {
		return
	}
	q.readFormat(in)
	if q.Form == Content && q.freeTools() {
		in.refuse("/tools", "unsupported_parameter", "tools that the model may or may not call can't stand beside a schema for its answer",
			"Force one function with tool_choice, send tool_choice none, or leave the format out.")
	}
}

func (q *Request) limitTime() {
	const structured = 30 * time.Second // As for POST /v1/analyze.
	o := &q.Prompt.Options
	switch {
	case o.Timeout != 0:
	case q.Form == Free:
		o.Timeout = longest
	default:
		o.Timeout = structured
	}
}

// freeTools reports whether there are tools that the model may call or not.
func (q *Request) freeTools() bool {
	tools, _ := q.body.Get("tools")
	functions, _ := q.body.Get("functions")
	if tools.Len() == 0 && functions.Len() == 0 {
		return false
	}
	for _, name := range [...]string{"tool_choice", "function_call"} {
		if choice, _ := q.body.Get(name); choice.Kind() == value.KindString && choice.Text() == "none" {
			return false
		}
	}
	return true
}

// readFormat reads response_format or text.format.
func (q *Request) readFormat(in *input) {
	at, format := "/response_format", value.Value{}
	if q.Format == dialect.Responses {
		text, _ := q.body.Get("text")
		at = "/text/format"
		format, _ = text.Get("format")
	} else {
		format, _ = q.body.Get("response_format")
	}
	if format.IsNull() {
		return
	}
	if format.Kind() != value.KindObject {
		in.refuse(at, "type", strings.TrimPrefix(strings.ReplaceAll(at, "/", "."), ".")+" must be an object", "")
		return
	}
	kind, _ := format.Get("type")
	switch kind.Text() {
	case "text":
	case "json_object":
		q.takes(in, Content, value.Object(value.Member{Name: "type", Value: value.String("object")}), at, "")
	case "json_schema":
		holder, below := format, ""
		if q.Format == dialect.Chat {
			holder, _ = format.Get("json_schema")
			below = "/json_schema"
			if holder.Kind() != value.KindObject {
				in.refuse(at+below, "required", "json_schema must be an object with a name and a schema", "")
				return
			}
		}
		s, given := holder.Get("schema")
		if !given || s.IsNull() {
			s = value.Object() // OpenAI takes it; anything is valid.
		}
		description, _ := holder.Get("description")
		q.takes(in, Content, s, at+below+"/schema", description.Text())
	default:
		in.refuse(at+"/type", "enum", "there is no such format", "Use one of: text, json_object, json_schema.")
	}
}

// takes sets the form with its schema. What is said of a schema beside it belongs to it: the model has to see it.
func (q *Request) takes(in *input, f Form, s value.Value, at, description string) {
	if s.Kind() != value.KindObject {
		in.refuse(at, "type", "the schema must be an object", "Send a JSON Schema.")
		return
	}
	if _, has := s.Get("description"); !has && description != "" {
		s = s.With("description", value.String(description))
	}
	q.Form, q.schemaAt = f, at
	q.Prompt.Schema, q.Prompt.HasSchema = s, true
}

// tool is a function as the caller describes it.
type tool struct {
	name, description string
	parameters        value.Value
	at                string // of the parameters
	function          bool   // other kinds of tool have no parameters
}

// forcedTool finds the one function that the model is forced to call. It reports whether a call is forced; where the choice is among several, or of a tool of
// another kind, the request is one without a schema.
func (q *Request) forcedTool(in *input) (forced bool) {
	tools, choice, legacy := q.readTools(), value.Value{}, false
	choice, _ = q.body.Get("tool_choice")
	if len(tools) == 0 {
		tools, legacy = q.readFunctions(), true
		choice, _ = q.body.Get("function_call")
	}
	wanted, forced := chosen(choice, legacy)
	if !forced || len(tools) == 0 {
		return false
	}
	form := Tool
	if legacy {
		form = Function
	}
	if wanted == "" {
		if len(tools) == 1 && tools[0].function {
			q.calls(in, form, tools[0])
		}
		return true
	}
	for _, t := range tools {
		if t.function && t.name == wanted {
			q.calls(in, form, t)
			return true
		}
	}
	at := "/tool_choice"
	if legacy {
		at = "/function_call"
	}
	in.refuse(at, "unknown_function", "there is no function of that name among the tools", "Name one of them.")
	return true
}

func (q *Request) calls(in *input, f Form, t tool) {
	if t.name == "" {
		in.refuse(strings.TrimSuffix(t.at, "/parameters")+"/name", "required", "the function has no name", "")
		return
	}
	s := t.parameters
	if s.IsNull() { // Left out means no parameters.
		s = value.Object(value.Member{Name: "type", Value: value.String("object")}, value.Member{Name: "properties", Value: value.Object()})
	}
	q.Function = t.name
	q.takes(in, f, s, t.at, t.description)
}

// chosen reads tool_choice in all its forms: a word, a function's name at the top or one level down, or a list of allowed tools. An empty name is any tool.
func chosen(choice value.Value, legacy bool) (name string, forced bool) {
	if choice.Kind() == value.KindString {
		return "", choice.Text() == "required" || choice.Text() == "any"
	}
	if choice.Kind() != value.KindObject {
		return "", false
	}
	if kind, _ := choice.Get("type"); kind.Text() == "allowed_tools" {
		allowed := choice
		if inner, ok := choice.Get("allowed_tools"); ok {
			allowed = inner
		}
		mode, _ := allowed.Get("mode")
		tools, _ := allowed.Get("tools")
		if mode.Text() != "required" || tools.Len() != 1 {
			return "", mode.Text() == "required"
		}
		return functionName(tools.At(0)), true
	} else if !legacy && kind.Text() != "function" {
		return "", false
	}
	name = functionName(choice)
	return name, name != ""
}

func functionName(v value.Value) string {
	if inner, ok := v.Get("function"); ok {
		v = inner
	}
	name, _ := v.Get("name")
	return name.Text()
}

func (q *Request) readTools() (list []tool) {
	tools, _ := q.body.Get("tools")
	for i, t := range tools.Items() {
		at := value.AppendIndex("/tools", i)
		kind, _ := t.Get("type")
		if inner, nested := t.Get("function"); nested {
			t, at = inner, at+"/function"
		}
		list = append(list, readFunction(t, at, kind.Text() == "function"))
	}
	return list
}

func (q *Request) readFunctions() (list []tool) {
	functions, _ := q.body.Get("functions")
	for i, f := range functions.Items() {
		list = append(list, readFunction(f, value.AppendIndex("/functions", i), true))
	}
	return list
}

func readFunction(v value.Value, at string, function bool) tool {
	name, _ := v.Get("name")
	description, _ := v.Get("description")
	parameters, _ := v.Get("parameters")
	return tool{name.Text(), description.Text(), parameters, at + "/parameters", function}
}
