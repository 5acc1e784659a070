// Command promptd turns prompts and documents into validated structured data through any large language model.
package main

import (
	"os"

	"github.com/promptd/promptd/internal/cli"
)

func main() { os.Exit(cli.Main(os.Args[1:], cli.OSEnv())) }
