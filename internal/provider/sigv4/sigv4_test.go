package sigv4_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/provider/sigv4"
)

// The keys and the time of AWS's own published examples.
const (
	accessKey = "AKIDEXAMPLE"
	secretKey = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
)

func at() time.Time { return time.Date(2015, 8, 30, 12, 36, 0, 0, time.UTC) }

func signer(t *testing.T, change func(*sigv4.Keys)) *sigv4.Signer {
	t.Helper()
	k := sigv4.Keys{AccessKey: accessKey, SecretKey: secretKey, Region: "us-east-1", Service: "service"}
	if change != nil {
		change(&k)
	}
	s, err := sigv4.New(k)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// The signature of example get-vanilla of AWS's test suite.
func TestThePublishedExample(t *testing.T) {
	t.Parallel()
	r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "https://example.amazonaws.com/", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := signer(t, nil).Sign(r, nil, at()); err != nil {
		t.Fatal(err)
	}
	const want = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, " +
		"Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
	if got := r.Header.Get("Authorization"); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := r.Header.Get("X-Amz-Date"); got != "20150830T123600Z" {
		t.Errorf("the date is %s", got)
	}
}

// A request as the dialect makes it, against a signature worked out by hand from AWS's description: escapes in the path are escaped once more, and every
// header is signed.
func TestAConverseRequest(t *testing.T) {
	t.Parallel()
	const path, body = "/model/arn%3Aaws%3Abedrock%2Fa.b-c~d_e/converse-stream", `{"messages":[]}`
	const host = "https://bedrock-runtime.eu-central-1.amazonaws.com"
	r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, host+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/vnd.amazon.eventstream")
	s := signer(t, func(k *sigv4.Keys) { k.Region, k.Service, k.SessionToken = "eu-central-1", "bedrock", "token/+=" })
	if err := s.Sign(r, []byte(body), at()); err != nil {
		t.Fatal(err)
	}
	headers := map[string]string{
		"accept": "application/vnd.amazon.eventstream", "content-length": fmt.Sprint(len(body)), "content-type": "application/json",
		"host": "bedrock-runtime.eu-central-1.amazonaws.com", "x-amz-date": "20150830T123600Z", "x-amz-security-token": "token/+=",
	}
	var names []string
	for name := range headers {
		names = append(names, name)
	}
	slices.Sort(names)
	sum := func(s string) string {
		h := sha256.Sum256([]byte(s))
		return hex.EncodeToString(h[:])
	}
	canonical := "POST\n" + strings.ReplaceAll(path, "%", "%25") + "\n\n"
	for _, name := range names {
		canonical += name + ":" + headers[name] + "\n"
	}
	signed := strings.Join(names, ";")
	canonical += "\n" + signed + "\n" + sum(body)
	const scope = "20150830/eu-central-1/bedrock/aws4_request"
	key := []byte("AWS4" + secretKey)
	for _, part := range append(strings.Split(scope, "/"), "AWS4-HMAC-SHA256\n20150830T123600Z\n"+scope+"\n"+sum(canonical)) {
		h := hmac.New(sha256.New, key)
		h.Write([]byte(part))
		key = h.Sum(nil)
	}
	want := "AWS4-HMAC-SHA256 Credential=" + accessKey + "/" + scope + ", SignedHeaders=" + signed + ", Signature=" + hex.EncodeToString(key)
	if got := r.Header.Get("Authorization"); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := (&url.URL{Path: r.URL.Path, RawPath: r.URL.RawPath}).EscapedPath(); got != path {
		t.Errorf("the path became %s", got)
	}
}

func TestKeysThatAreMissingAndKeysInPrint(t *testing.T) {
	t.Parallel()
	whole := sigv4.Keys{AccessKey: accessKey, SecretKey: secretKey, Region: "r", Service: "s"}
	for _, without := range []func(*sigv4.Keys){
		func(k *sigv4.Keys) { k.AccessKey = "" }, func(k *sigv4.Keys) { k.SecretKey = "" },
		func(k *sigv4.Keys) { k.Region = "" }, func(k *sigv4.Keys) { k.Service = "" },
	} {
		k := whole
		without(&k)
		if s, err := sigv4.New(k); err == nil {
			t.Errorf("a signer is made of %v", s)
		}
	}
	s := signer(t, nil)
	for _, format := range [...]string{"%v", "%+v", "%#v", "%s"} {
		if text := fmt.Sprintf(format, s); strings.Contains(text, secretKey) || strings.Contains(text, accessKey) {
			t.Errorf("%s prints %s", format, text)
		}
	}
}
