package googletoken

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/google"
)

// scope is what the tokens are good for. Which of Google's services an account may use is said by its roles.
const scope = "https://www.googleapis.com/auth/cloud-platform"

// metadataServer is an address that every machine of Google Cloud knows; it is not on the Internet.
const metadataServer = "http://metadata.google.internal"

// fetcher asks token servers.
type fetcher struct {
	transport, direct http.RoundTripper
	metadata          string
}

func newFetcher(c Config) fetcher {
	f := fetcher{transport: c.Transport, metadata: c.Metadata, direct: &http.Transport{DisableKeepAlives: true}}
	if f.transport == nil {
		f.transport = &http.Transport{Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true} // It is asked once an hour.
	}
	if f.metadata == "" {
		f.metadata = metadataServer
	}
	return f
}

// kind is the type that a file of credentials says of itself.
func kind(a Account) (google.CredentialsType, error) {
	var file struct {
		Type google.CredentialsType `json:"type"`
	}
	if json.Unmarshal([]byte(a.Credentials), &file) != nil {
		return "", errors.New("the credentials are no JSON; the file of a service account's key is wanted, such as file:/run/secrets/key.json")
	}
	switch file.Type {
	case google.ServiceAccount, google.AuthorizedUser, google.ExternalAccount, google.ExternalAccountAuthorizedUser, google.ImpersonatedServiceAccount:
		return file.Type, nil
	case "":
		return "", errors.New(`the credentials have no "type"; the file of a service account's key is wanted`)
	default:
		return "", errors.New("the credentials are of a type that is not known: a service_account, authorized_user, external_account or impersonated_service_account is wanted")
	}
}

// check reads the credentials without asking anybody.
func check(a Account) error {
	if a.Credentials == "" {
		return nil
	}
	k, err := kind(a)
	if err != nil {
		return err
	}
	if _, err := google.CredentialsFromJSONWithType(context.Background(), []byte(a.Credentials), k, scope); err != nil {
		return fmt.Errorf("the credentials of type %s can't be used", k) // The library's error may quote them.
	}
	return nil
}

// Failure is a token that could not be had.
type Failure struct {
	text      string
	temporary bool
}

// Error says what happened, without anything of the credentials.
func (f *Failure) Error() string { return "google: " + f.text }

// Temporary says that it may well work later: the server could not be reached, or was overloaded.
func (f *Failure) Temporary() bool { return f.temporary }

func (f *fetcher) fetch(ctx context.Context, a Account) (*token, error) {
	if a.Credentials == "" {
		return f.fromMetadata(ctx)
	}
	k, err := kind(a)
	if err != nil {
		return nil, err
	}
	// The library's requests have no context of their own.
	client := &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) { return f.transport.RoundTrip(r.WithContext(ctx)) })}
	credentials, err := google.CredentialsFromJSONWithType(context.WithValue(ctx, oauth2.HTTPClient, client), []byte(a.Credentials), k, scope)
	if err != nil {
		return nil, &Failure{text: "the credentials can't be used"}
	}
	began := time.Now()
	t, err := credentials.TokenSource.Token()
	if err != nil {
		return nil, failure(err)
	}
	made := &token{value: t.AccessToken, made: began, goodTill: t.Expiry}
	if t.Expiry.IsZero() { // The server did not say.
		made.goodTill = began.Add(unsaid)
	}
	return made, nil
}

// unsaid is how long a token is used whose server does not say how long it is good.
const unsaid = 10 * time.Minute

// failure reads the library's error. Its text repeats the server's answer, which may name the account.
func failure(err error) error {
	var answered *oauth2.RetrieveError
	if !errors.As(err, &answered) || answered.Response == nil {
		return &Failure{text: "the token server could not be reached", temporary: true}
	}
	return refusal("the token server", answered.Response.StatusCode, answered.Body)
}

// codes are the characters of OAuth's error codes (RFC 6749, section 5.2); a text in their place is left out.
const codes = "abcdefghijklmnopqrstuvwxyz_"

func refusal(who string, status int, body []byte) error {
	f := &Failure{text: fmt.Sprintf("%s answers with status %d", who, status), temporary: status >= http.StatusInternalServerError || status == http.StatusTooManyRequests}
	var answer struct {
		Error string `json:"error"`
	}
	if json.Unmarshal(body, &answer) == nil && answer.Error != "" && strings.Trim(answer.Error, codes) == "" {
		f.text += " (" + answer.Error + ")"
	}
	return f
}

// fromMetadata asks the machine's metadata server for the token of its service account.
func (f *fetcher) fromMetadata(ctx context.Context) (*token, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, f.metadata+"/computeMetadata/v1/instance/service-accounts/default/token", http.NoBody)
	if err != nil {
		return nil, &Failure{text: "the metadata server's address is wrong"}
	}
	r.Header.Set("Metadata-Flavor", "Google")
	began := time.Now()
	resp, err := f.direct.RoundTrip(r)
	if err != nil {
		return nil, &Failure{text: "there is no metadata server: this is no machine of Google Cloud, so a file of credentials is needed as api_key", temporary: true}
	}
	defer resp.Body.Close() //nolint:errcheck // It was read.
	if resp.StatusCode != http.StatusOK {
		return nil, refusal("the metadata server", resp.StatusCode, nil)
	}
	var answer struct {
		Token   string `json:"access_token"`
		Seconds int64  `json:"expires_in"`
	}
	const most = 64 << 10
	if err := json.NewDecoder(io.LimitReader(resp.Body, most)).Decode(&answer); err != nil || answer.Token == "" || answer.Seconds <= 0 {
		return nil, &Failure{text: "the metadata server's answer is no token", temporary: true}
	}
	return &token{value: answer.Token, made: began, goodTill: began.Add(time.Duration(min(answer.Seconds, 86_400)) * time.Second)}, nil
}

// roundTripper is a function that carries requests.
type roundTripper func(*http.Request) (*http.Response, error)

// RoundTrip calls the function.
func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
