package pipeline

import (
	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/provider"
	"github.com/promptd/promptd/internal/usage"
)

// What other front doors write of attempts and answers is written as the pipeline itself does.

// Total sums what the attempts used and cost; the cost is unknown where one attempt's is.
func Total(attempts []provider.Attempt) (dialect.Usage, provider.Cost) { return total(attempts) }

// Spent splits what was used where attempts went to more than one model; nil means that the last one bears all.
func Spent(attempts []provider.Attempt) []usage.Share { return spent(attempts) }

// AppendShare writes a number from 0 to 1 with four decimals at most.
func AppendShare(dst []byte, f float64) []byte { return appendShare(dst, f) }
