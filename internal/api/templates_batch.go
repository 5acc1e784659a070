package api

import "github.com/danielgtaylor/huma/v2"

// TransformSchema lets an item of a batch give parameters alone, for the template that the batch names for all.
func (BatchPrompt) TransformSchema(r huma.Registry, s *huma.Schema) *huma.Schema {
	s = AnalyzeRequest{}.TransformSchema(r, s)
	s.OneOf = append(s.OneOf, &huma.Schema{Required: []string{"parameters"}, Not: &huma.Schema{Required: []string{"template"}}})
	s.DependentRequired = nil
	return s
}
