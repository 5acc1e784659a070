// Command promptd turns prompts and documents into validated structured data through any large language model.
package main

import (
	"io"
	"log"
	"os"

	"github.com/promptd/promptd/internal/cli"
)

func main() {
	// The standard logger is not ours, and net/http writes bytes of a provider's answer to it where a service sends more than it announced.
	log.SetOutput(io.Discard)
	os.Exit(cli.Main(os.Args[1:], cli.OSEnv()))
}
