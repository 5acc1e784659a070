package local

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"time"
)

// child is a process that was started. Whoever starts it waits for it, by stop or by done.
type child struct {
	cmd   *exec.Cmd
	input io.WriteCloser
	// polite says that closing the input is enough to end it.
	polite bool
	// done is closed once the process is gone and its output read; err is set before.
	done chan struct{}
	err  error
}

// outputDelay bounds the wait for output after the process has ended: something that it started may still hold the pipe.
const outputDelay = 2 * time.Second

// startChild starts a process and hands each line of its output to say, one at a time.
func startChild(l launch, say func(string)) (*child, error) {
	cmd := exec.Command(l.path, l.args...) //nolint:noctx // Ended by stop, which asks first; a context would only kill.
	cmd.Env = l.env
	cmd.WaitDelay = outputDelay
	cmd.SysProcAttr = childAttr()
	var one sync.Mutex
	cmd.Stdout, cmd.Stderr = &lines{one: &one, say: say}, &lines{one: &one, say: say}
	input, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("open the input of %s: %w", l.path, err)
	}
	c := &child{cmd: cmd, input: input, polite: l.endsWithInput, done: make(chan struct{})}
	started := make(chan error, 1) // One answer, so that the goroutine never waits for its reader.
	go func() {
		// Linux sends the signal of a parent's death when the thread dies that started the child, so that thread is kept until the child ends.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		c.err = cmd.Wait()
		close(c.done)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", l.path, err)
	}
	if _, err := input.Write(l.input); err != nil && !errors.Is(err, os.ErrClosed) {
		// The child has ended before it read: its own last words say why, and done reports it.
		return c, nil //nolint:nilerror // See above.
	}
	return c, nil
}

// stop asks the process to end, by its input or by a signal, kills it after the grace, and returns when it is gone.
func (c *child) stop(grace time.Duration) {
	_ = c.input.Close()
	if !c.polite {
		_ = askToEnd(c.cmd.Process)
	}
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-c.done:
		return
	case <-timer.C:
	}
	_ = killAll(c.cmd.Process)
	<-c.done
}

// ended says in words how the process ended.
func (c *child) ended() string {
	if c.err == nil {
		return "exit status 0"
	}
	return c.err.Error()
}

// lineMax bounds one line of output; the rest of a longer one is dropped.
const lineMax = 8 << 10

// lines is a writer that cuts what it gets into lines.
type lines struct {
	one *sync.Mutex
	say func(string)

	part []byte
}

func (w *lines) Write(p []byte) (int, error) {
	w.one.Lock()
	defer w.one.Unlock()
	for rest := p; len(rest) > 0; {
		line, after, whole := bytes.Cut(rest, []byte("\n"))
		w.part = append(w.part, line[:min(len(line), lineMax-len(w.part))]...)
		if whole {
			w.say(string(bytes.TrimRight(w.part, "\r")))
			w.part = w.part[:0]
		}
		rest = after
	}
	return len(p), nil
}
