package provider

import (
	"context"
	"time"
)

// Board is where the processes of an installation tell each other how they find the providers. It is worth what it says: nothing depends on it, and whatever is put
// there is gone by itself when a process no longer renews it.
type Board interface {
	// Exchange puts a process's notice in the place of the one before and gives those of the others that were put there within BoardFor.
	Exchange(ctx context.Context, mine Notice) (others []Notice, err error)
	// Claim gives the leave for something to one process at a time, for so long, and anew to the one that has it.
	Claim(ctx context.Context, what, who string, d time.Duration) (bool, error)
	// Release gives a leave back; one that somebody else has, or nobody, is no error.
	Release(ctx context.Context, what, who string) error
}

// BoardFor is how long a notice stays on a board.
const BoardFor = 3 * time.Second

// Notice is what one process says. Times are lengths from when it was put there, so that the clocks of processes do not matter.
type Notice struct {
	// From is the process, Seq counts its notices.
	From string `json:"from"`
	Seq  uint64 `json:"seq"`
	// Accounts are those of which there is something to say.
	Accounts []AccountNotice `json:"accounts,omitempty"`
}

// AccountNotice is what a process says of an account.
type AccountNotice struct {
	// Account is the account's mark, see mark.
	Account string `json:"account"`
	// Inside counts the calls under way, Waiting those that wait for a slot.
	Inside  int `json:"inside,omitempty"`
	Waiting int `json:"waiting,omitempty"`
	// Limit is how many the service takes at once, where that was found to be less than max_concurrency; 0 is not.
	Limit  int           `json:"limit,omitempty"`
	Models []ModelNotice `json:"models,omitempty"`
	Rests  []RestNotice  `json:"rests,omitempty"`
}

// ModelNotice is what a process says of a model.
type ModelNotice struct {
	Model string `json:"model"`
	// Open is for how long this process leaves the model alone because calls of its own failed.
	Open time.Duration `json:"open,omitempty"`
	// Mended is how long ago probes of this process closed its breaker; 0 is not of late.
	Mended time.Duration `json:"mended,omitempty"`
	// Held is for how long the service, overloaded, does not want to be asked.
	Held time.Duration `json:"held,omitempty"`
}

// RestNotice is what a process says of a credential. It is named by its place, for nothing that comes of a secret leaves the process.
type RestNotice struct {
	// Place is the credential's among so many.
	Place int `json:"place"`
	Of    int `json:"of"`
	// Model is empty for all models.
	Model string `json:"model,omitempty"`
	// Said is for how long the service does not want to be asked, Guessed for how long this process thinks so.
	Said    time.Duration `json:"said,omitempty"`
	Guessed time.Duration `json:"guessed,omitempty"`
}
