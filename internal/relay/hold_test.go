package relay

import (
	"testing"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/pipeline"
)

func TestTheReasonThatSaysMoreIsTold(t *testing.T) {
	t.Parallel()
	format := fault.Invalid("/tools", "unsupported_parameter", "tools can't be honoured", "")
	nobody := fault.New(fault.ProviderError, "no provider can be asked now")
	service, unpaid := &dialect.Error{Outcome: dialect.OverloadedProvider}, &pipeline.Unpaid{}
	for name, c := range map[string]struct{ before, now, want error }{
		"the first":                              {nobody, format, format},
		"a service behind a format":              {format, service, service},
		"a format behind a service":              {service, format, service},
		"a format behind a budget":               {unpaid, format, unpaid},
		"a service behind a budget":              {unpaid, service, service},
		"a format behind another candidate's":    {format, nobody, nobody},
		"a budget behind a service that is down": {service, unpaid, unpaid},
	} {
		if got := reason(c.before, c.now); got != c.want { //nolint:errorlint // The very same.
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
}
