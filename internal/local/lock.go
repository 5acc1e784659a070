package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// lockName is the file whose lock lets one process at a time install or remove. The system drops the lock with the process that held it, so that
// a killed install leaves nothing to clean up.
const lockName = "lock"

// lockPoll is the pause between looks at a lock that is held, and at a download that grows.
const lockPoll = 200 * time.Millisecond

// errLocked says that another process holds the lock.
var errLocked = errors.New("another process is installing the local model")

// acquire waits for the lock of a directory; waiting is called once where it is not free. The function that it gives releases the lock.
func acquire(ctx context.Context, dir string, every time.Duration, waiting func()) (func(), error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, unavailable("Give another directory by XDG_CACHE_HOME.", "the directory of the local model cannot be made").Because(err)
	}
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, unavailable("Give another directory by XDG_CACHE_HOME.", "the directory of the local model cannot be written").Because(err)
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for first := true; ; first = false {
		err := tryLock(f)
		if err == nil {
			return func() { _ = f.Close() }, nil // Closing drops the lock; there is nothing to lose in the file.
		}
		if !errors.Is(err, errLocked) {
			return nil, errors.Join(fmt.Errorf("lock the directory of the local model: %w", err), f.Close())
		}
		if first && waiting != nil {
			waiting()
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(fmt.Errorf("%w: %w", errLocked, ctx.Err()), f.Close())
		case <-tick.C:
		}
	}
}
