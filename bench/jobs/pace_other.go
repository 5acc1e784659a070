//go:build !linux

package main

import "time"

// until waits for a time, of which the system's clock may be late: figures are of Linux.
func until(due time.Time) error {
	time.Sleep(time.Until(due))
	return nil
}
