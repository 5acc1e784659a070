package app

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/promptd/promptd/internal/config"
	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/provider/catalogue"
	"github.com/promptd/promptd/internal/schema/lowering"
)

func TestEveryServiceIsOneThatThisProgramCanSpeakTo(t *testing.T) {
	t.Parallel()
	c, err := catalogue.Load()
	if err != nil {
		t.Fatal(err)
	}
	dialects := Adapters().Dialects
	for _, s := range c.Services() {
		for _, d := range append([]string{s.Dialect}, s.Also...) {
			if !slices.Contains(dialects, d) {
				t.Errorf("service %s: there is no dialect %s", s.Name, d)
			}
		}
		if s.Profile != "" && (!slices.Contains(lowering.Names(), s.Profile) || !strings.HasPrefix(s.Profile, s.Dialect+":")) {
			t.Errorf("service %s: %s is no profile of its dialect", s.Name, s.Profile)
		}
		var d dialect.Deviations
		for _, name := range s.Deviations {
			if !d.Set(name) || s.Dialect != "openai" {
				t.Errorf("service %s: dialect %s has no deviation %s", s.Name, s.Dialect, name)
			}
		}
		if s.Dialect != "openai" || len(s.Modes) == 0 {
			continue
		}
		// What the service documents must be something that its profile can make, or nothing but prompting would be left.
		one, ok := dialectNamed(s.Dialect)
		if !ok {
			t.Fatalf("there is no dialect %s", s.Dialect)
		}
		for _, mode := range s.Modes {
			if p := one.Profile(dialect.Capability{Profile: s.Profile}); !slices.Contains(p.Modes(), lowering.Mode(mode)) {
				t.Errorf("service %s: profile %s has no mode %s", s.Name, s.Profile, mode)
			}
		}
	}
}

func TestTheConfigurationKnowsTheDeviations(t *testing.T) {
	t.Parallel()
	field, _ := reflect.TypeFor[config.Provider]().FieldByName("Deviations")
	if got, want := strings.Split(field.Tag.Get("enum"), ","), dialect.DeviationNames(); !slices.Equal(got, want) {
		t.Errorf("the configuration has %v, the dialects have %v", got, want)
	}
}
