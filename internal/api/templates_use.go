package api

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/promptd/promptd/internal/body"
	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/idempotency"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/pipeline"
	"github.com/promptd/promptd/internal/prompt"
	"github.com/promptd/promptd/internal/schema/missing"
	"github.com/promptd/promptd/internal/template"
	"github.com/promptd/promptd/internal/value"
)

// renderTemplate is POST /v1/templates/{name}/render, and of one version.
func (s *Server) renderTemplate(c *call) error {
	if err := s.counted(c); err != nil {
		return err
	}
	ref, err := c.refOf(template.Kind)
	if err != nil {
		return err
	}
	asked, err := readAsked(c, true, readParameters)
	if err != nil {
		return err
	}
	return c.once(asked.name, asked.raw, func(ctx context.Context) (idempotency.Response, error) {
		use, err := s.deps.Templates.Resolve(ctx, c.caller.Team, ref.String())
		if err != nil {
			return idempotency.Response{}, err
		}
		messages, err := use.Render(ctx, asked.what)
		if err != nil {
			return idempotency.Response{}, err
		}
		return encoded(http.StatusOK, rendered(use, messages))
	})
}

func readParameters(r *body.Reader) (value.Value, error) {
	parameters := value.Object()
	if v, given := r.Value("parameters"); given {
		parameters = v
	}
	return parameters, r.Done()
}

func rendered(use *template.Use, messages []prompt.Message) RenderedTemplate {
	out := RenderedTemplate{
		Template: use.Ref(), Hash: use.HashText(), Characters: pipeline.Characters(messages), Messages: []RenderedMessage{},
		Schema: rawOrNull(use.Schema), Options: rawOrNull(use.Options),
	}
	for _, m := range prompt.Shown(messages) {
		for _, part := range m.Parts {
			out.Messages = append(out.Messages, RenderedMessage{m.Role, part.Text})
		}
	}
	return out
}

// testTemplate is POST /v1/templates/{name}/test, and of one version: the stored tests, asked of the real pipeline. Each counts as a prompt.
func (s *Server) testTemplate(c *call) error {
	if err := c.caller.Require(key.Analyze); err != nil {
		return err
	}
	ref, err := c.refOf(template.Kind)
	if err != nil {
		return err
	}
	asked, err := readAsked(c, true, readTests)
	if err != nil {
		return err
	}
	use, err := s.deps.Templates.Resolve(c.r.Context(), c.caller.Team, ref.String())
	if err != nil {
		return err
	}
	tests, err := chosen(use, asked.what.names)
	if err != nil {
		return err
	}
	admission, err := s.deps.Pipeline.Admit(c.r.Context(), c.caller, len(tests))
	limitHeaders(c, admission)
	if err != nil {
		return err
	}
	return c.once(asked.name, asked.raw, func(ctx context.Context) (idempotency.Response, error) {
		items := make([]prompt.Item, len(tests))
		for i := range tests {
			// The version stands in the reference: one that is published meanwhile is another's test.
			t := prompt.NewTemplate(use.Ref(), tests[i].Parameters, asked.what.options, s.deps.Settings().Defaults)
			items[i] = prompt.Item{ID: tests[i].Name, Prompt: prompt.Prompt{Template: t}}
		}
		done, summary := s.deps.Pipeline.Batch(ctx, admission, items)
		if err := ctx.Err(); err != nil {
			return idempotency.Response{}, fault.New(fault.Timeout, "the caller went away before the answer").Because(err)
		}
		return encoded(http.StatusOK, tested(use, tests, done, summary))
	})
}

// wantedTests says which tests are wanted, all where there are no names, and the options that lie over the template's.
type wantedTests struct {
	names   []string
	options value.Value
}

// readTests reads that. A test asks a model, unless the caller wants the cache.
func readTests(r *body.Reader) (wantedTests, error) {
	names := r.Strings("tests")
	if v, given := r.Value("tests"); given && v.Kind() == value.KindArray && v.Len() == 0 {
		r.Fault("tests", "minItems", "tests is empty", "Leave it out for all tests.")
	}
	options := value.Object(value.Member{Name: "bypass_cache", Value: value.Bool(true)})
	if v, given := r.Value("options"); given {
		prompt.CheckOptions(r.Object("options"))
		for name, option := range v.Members() {
			options = options.With(name, option)
		}
	}
	return wantedTests{names, options}, r.Done()
}

// chosen gives the tests of those names, or all.
func chosen(use *template.Use, names []string) ([]template.Test, error) {
	if len(use.Tests) == 0 {
		f := fault.New(fault.Conflict, "the template %s has no tests", use.Ref())
		f.Remediation = "Publish a version with tests."
		return nil, f
	}
	if names == nil {
		return use.Tests, nil
	}
	var tests []template.Test
	for i, name := range names {
		at := slices.IndexFunc(use.Tests, func(t template.Test) bool { return t.Name == name })
		if at < 0 || slices.Contains(names[:i], name) {
			return nil, fault.Invalid(fmt.Sprintf("/tests/%d", i), "enum", "the template "+use.Ref()+" has no such test, or it is named twice", "GET /v1/templates/"+use.Name+" shows its tests.")
		}
		tests = append(tests, use.Tests[at])
	}
	return tests, nil
}

// tested says what became of each test.
func tested(use *template.Use, tests []template.Test, done []pipeline.Done, s pipeline.Summary) TestedTemplate {
	out := TestedTemplate{Template: use.Ref(), Total: len(tests), Tests: make([]TemplateTest, len(tests))}
	if s.Cost.Known {
		n := json.Number(s.Cost.Append(nil))
		out.CostUSD = &n
	}
	for i := range tests {
		out.Tests[i] = testOf(&tests[i], &done[i])
		if out.Tests[i].Status == "passed" {
			out.Passed++
		} else {
			out.Failed++
		}
	}
	return out
}

func testOf(t *template.Test, d *pipeline.Done) TemplateTest {
	one := TemplateTest{Name: t.Name, Status: "failed", Differences: []TemplateDifference{}}
	if d.Err != nil {
		var failure *pipeline.Failure
		if errors.As(d.Err, &failure) {
			one.RequestID = failure.RequestID
		}
		one.Error = templateError(fault.Of(d.Err))
		return one
	}
	one.RequestID = d.Answer.RequestID
	if d.Answer.Status() != pipeline.Passed {
		one.Error = unanswered(d.Answer.Questions)
		return one
	}
	for _, difference := range t.Differences(d.Answer.Valid.Value()) {
		one.Differences = append(one.Differences, TemplateDifference{
			difference.Pointer, difference.Expected.Append(nil), difference.Actual.Append(nil), difference.Message,
		})
	}
	if len(one.Differences) == 0 {
		one.Status = "passed"
		return one
	}
	one.Data = rawOrNull(d.Answer.Valid.Value())
	return one
}

// unanswered is what a test says whose text does not say enough: what the model asks back is no answer that could be compared. It is no fault, since
// faults are logged and hold nothing that a model wrote.
func unanswered(questions []missing.Question) *TemplateError {
	asked := make([]string, len(questions))
	for i, q := range questions {
		asked[i] = cmp.Or(q.Pointer, "the whole answer") + ": " + q.Text
	}
	return &TemplateError{
		Code: fault.ValidationFailed.String(), Detail: "there is no answer, the model asks back: " + strings.Join(asked, "; "),
		Remediation: "Give the test parameters that say it, or let the schema do without it.",
	}
}

func templateError(f *fault.Fault) *TemplateError {
	return &TemplateError{Code: f.Code.String(), Detail: f.Detail, Remediation: cmp.Or(f.Remediation, f.Code.Row().Remediation)}
}
