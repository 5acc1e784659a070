package storetest

import "testing"

// RunJobs runs the contracts of jobs alone, for a store that keeps jobs and their deliveries.
func RunJobs(t *testing.T, open Open) {
	t.Helper()
	runPart(t, open, jobContracts())
}

// RunBudgets runs the contracts of budgets alone.
func RunBudgets(t *testing.T, open Open) {
	t.Helper()
	runPart(t, open, budgetContracts())
}

func runPart(t *testing.T, open Open, list []contract) {
	t.Helper()
	for _, test := range list {
		t.Run(test.rule, func(t *testing.T) {
			t.Parallel()
			clock := &Clock{}
			clock.Set(start())
			test.run(t, open(t, clock.Now), clock)
		})
	}
}
