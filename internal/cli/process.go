package cli

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/term"
)

// signals ends the context with the first interrupt or SIGTERM, and the process with the second.
func signals(parent context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(parent)
	seen := make(chan os.Signal, 2) // Two: the first asks, the second insists.
	signal.Notify(seen, os.Interrupt, syscall.SIGTERM)
	go func() {
		select {
		case <-seen:
			cancel()
		case <-ctx.Done():
			return
		}
		<-seen
		os.Exit(1)
	}()
	return ctx, cancel
}

func isTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

// terminalSize gives the size of the terminal on Stdout, zeros where there is none.
func terminalSize() (columns, rows int) {
	columns, rows, err := term.GetSize(int(os.Stdout.Fd()))
	if err != nil {
		return 0, 0
	}
	return columns, rows
}
