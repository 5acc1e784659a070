// Package sigv4 signs requests to AWS with version 4 of its signatures, for accounts whose credential is a pair of keys.
//
// The signature is made by the vendor's own package v4 of aws-sdk-go-v2, which adds less than 0.1 MB and nothing of its clients. This package gives it what
// promptd knows: the keys, the region and the service. A [Signer] is a credential and never printed.
package sigv4

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// Keys are an account's credential, and where and for what it is good.
type Keys struct {
	AccessKey, SecretKey string
	// SessionToken is part of keys that expire; else empty.
	SessionToken string
	Region       string
	// Service is the name of the service in signatures, such as bedrock.
	Service string
}

// Signer signs with one pair of keys. It is safe for concurrent use.
type Signer struct {
	keys   Keys
	signer *v4.Signer
}

// New makes a signer.
func New(k Keys) (*Signer, error) {
	if k.AccessKey == "" || k.SecretKey == "" || k.Region == "" || k.Service == "" {
		return nil, errors.New("sigv4: access key, secret key, region and service are needed")
	}
	return &Signer{keys: k, signer: v4.NewSigner()}, nil
}

// String hides the keys.
func (*Signer) String() string { return "sigv4.Signer" }

// GoString hides the keys.
func (s *Signer) GoString() string { return s.String() }

// Sign adds the headers X-Amz-Date, X-Amz-Security-Token and Authorization to a request that is finished but for them.
func (s *Signer) Sign(r *http.Request, body []byte, at time.Time) error {
	sum := sha256.Sum256(body)
	keys := aws.Credentials{AccessKeyID: s.keys.AccessKey, SecretAccessKey: s.keys.SecretKey, SessionToken: s.keys.SessionToken}
	return s.signer.SignHTTP(context.Background(), keys, r, hex.EncodeToString(sum[:]), s.keys.Service, s.keys.Region, at)
}
