package app

import (
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/promptd/promptd/internal/config"
	"github.com/promptd/promptd/internal/provider"
	"github.com/promptd/promptd/internal/provider/googletoken"
	"github.com/promptd/promptd/internal/provider/sigv4"
)

// authTypes are the forms of a credential that this program has.
func authTypes() []string { return []string{"bearer", "header", "sigv4", "google", "azure"} }

// signerOf makes what signs the calls of a provider whose credential is another for each request or ends; nil where it is a header that stays.
func signerOf(p *config.Provider, tokens *googletoken.Tokens) (provider.Signer, error) {
	switch p.Auth.Type {
	case "sigv4":
		return sigv4.New(sigv4.Keys{
			AccessKey: p.Auth.AccessKey.Reveal(), SecretKey: p.Auth.SecretKey.Reveal(), SessionToken: p.Auth.SessionToken.Reveal(),
			Region: p.Auth.Region, Service: "bedrock", // Of AWS's services, promptd speaks to this one.
		})
	case "google":
		s, err := tokens.Signer(googletoken.Account{Credentials: p.APIKey.Reveal()})
		if err != nil {
			return nil, fmt.Errorf("provider %s: api_key: %w", p.Name, err)
		}
		return s, nil
	default:
		return nil, nil //nolint:nilnil // No signer is what most providers have.
	}
}

// credentialsOf makes the headers that are used in turn; none where calls are signed.
func credentialsOf(p *config.Provider) []provider.Credential {
	var list []provider.Credential
	for _, k := range p.Credentials() {
		switch p.Auth.Type {
		case "sigv4", "google":
		case "header":
			list = append(list, provider.Credential{Header: p.Auth.Header, Value: k.Reveal()})
		case "azure":
			list = append(list, provider.Credential{Header: "api-key", Value: k.Reveal()})
		default:
			list = append(list, provider.Credential{Header: "Authorization", Value: "Bearer " + k.Reveal()})
		}
	}
	return list
}

// Authorise puts a provider's credential and its further headers on a request, as a call would. For a token that means to get one, within the request's
// context.
func Authorise(r *http.Request, p *config.Provider, transport http.RoundTripper) error {
	for _, c := range credentialsOf(p) {
		r.Header.Set(c.Header, c.Value)
		break // Those behind it have their turn in calls.
	}
	for name, values := range headersOf(p) {
		r.Header[name] = values
	}
	signer, err := signerOf(p, googletoken.New(googletoken.Config{Transport: transport}))
	if err != nil || signer == nil {
		return err
	}
	return signer.Sign(r, nil, time.Now())
}

// addressOf is a provider's address with the version of the API that Azure's older paths ask for in the query.
func addressOf(p *config.Provider) string {
	u, err := url.Parse(p.BaseURL)
	if p.Auth.Type != "azure" || p.Auth.APIVersion == "" || err != nil {
		return p.BaseURL
	}
	query := u.Query()
	query.Set("api-version", p.Auth.APIVersion)
	u.RawQuery = query.Encode()
	return u.String()
}
