package app

import (
	"github.com/promptd/promptd/internal/config"
	"github.com/promptd/promptd/internal/provider"
	"github.com/promptd/promptd/internal/provider/sigv4"
)

// signerOf makes what signs the calls of a provider whose credential is no header; nil where it is one.
func signerOf(p *config.Provider) (provider.Signer, error) {
	if p.Auth.Type != "sigv4" {
		return nil, nil //nolint:nilnil // No signer is what most providers have.
	}
	return sigv4.New(sigv4.Keys{
		AccessKey: p.Auth.AccessKey.Reveal(), SecretKey: p.Auth.SecretKey.Reveal(), SessionToken: p.Auth.SessionToken.Reveal(),
		Region: p.Auth.Region, Service: "bedrock", // Of AWS's services, promptd speaks to this one.
	})
}
