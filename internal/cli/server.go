package cli

import (
	"cmp"

	"github.com/spf13/cobra"

	"github.com/promptd/promptd/client"
)

// defaultServer is where a server listens that nobody told otherwise.
const defaultServer = "http://127.0.0.1:8420"

// remote is the flag --server of the commands that are clients of a running server.
type remote struct {
	env     *Env
	address string
}

func (r *remote) flag(cmd *cobra.Command) {
	cmd.Flags().StringVar(&r.address, "server", "", "address of the server (PROMPTD_SERVER; default "+defaultServer+"); the key comes from PROMPTD_API_KEY")
}

// client makes the client: flag over environment over the usual address.
func (r *remote) client() (*client.Client, error) {
	address := cmp.Or(r.address, r.env.Getenv("PROMPTD_SERVER"), defaultServer)
	version, _ := buildVersion()
	c, err := client.New(address, r.env.Getenv("PROMPTD_API_KEY"), client.WithUserAgent("promptd-cli/"+version))
	if err != nil {
		return nil, usageError{err}
	}
	return c, nil
}
