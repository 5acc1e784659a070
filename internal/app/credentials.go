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

// credentialsOf makes the headers that are used in turn.
func credentialsOf(p *config.Provider) []provider.Credential {
	var list []provider.Credential
	for _, k := range p.Credentials() {
		c := provider.Credential{Header: "Authorization", Value: "Bearer " + k.Reveal()}
		if p.Auth.Type == "header" {
			c = provider.Credential{Header: p.Auth.Header, Value: k.Reveal()}
		}
		list = append(list, c)
	}
	return list
}
