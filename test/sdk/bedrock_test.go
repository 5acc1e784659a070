package sdk_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/promptd/promptd/internal/dialect"
)

// converse reads Bedrock's Converse with aws-sdk-go-v2.
func converse(t *testing.T, base string, streamed bool) *reading {
	t.Helper()
	client := bedrockruntime.New(bedrockruntime.Options{
		Region: "us-east-1", BaseEndpoint: aws.String(base), HTTPClient: http.DefaultClient, Retryer: aws.NopRetryer{},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "none", SecretAccessKey: "none"}, nil
		}),
	})
	asked := []types.Message{{Role: types.ConversationRoleUser, Content: []types.ContentBlock{&types.ContentBlockMemberText{Value: "hello"}}}}
	if streamed {
		return converseStream(t, client, asked)
	}
	whole, err := client.Converse(t.Context(), &bedrockruntime.ConverseInput{ModelId: aws.String("m"), Messages: asked})
	if err != nil {
		return converseError(t, err)
	}
	r := &reading{stop: string(whole.StopReason), usage: converseUsage(whole.Usage)}
	output, ok := whole.Output.(*types.ConverseOutputMemberMessage)
	if !ok {
		return r
	}
	for _, block := range output.Value.Content {
		switch b := block.(type) {
		case *types.ContentBlockMemberText:
			r.prose += b.Value
		case *types.ContentBlockMemberToolUse:
			if r.called {
				continue
			}
			var arguments any
			if err := b.Value.Input.UnmarshalSmithyDocument(&arguments); err != nil {
				t.Fatal(err)
			}
			text, err := json.Marshal(plain(t, arguments))
			if err != nil {
				t.Fatal(err)
			}
			r.called, r.arguments = true, string(text)
		}
	}
	return r
}

func converseStream(t *testing.T, client *bedrockruntime.Client, asked []types.Message) *reading {
	t.Helper()
	out, err := client.ConverseStream(t.Context(), &bedrockruntime.ConverseStreamInput{ModelId: aws.String("m"), Messages: asked})
	if err != nil {
		return converseError(t, err)
	}
	stream := out.GetStream()
	defer stream.Close() //nolint:errcheck // It was read.
	r, first := &reading{}, int32(0)
	for event := range stream.Events() {
		switch e := event.(type) {
		case *types.ConverseStreamOutputMemberContentBlockStart:
			if _, ok := e.Value.Start.(*types.ContentBlockStartMemberToolUse); ok && !r.called {
				r.called, first = true, aws.ToInt32(e.Value.ContentBlockIndex)
			}
		case *types.ConverseStreamOutputMemberContentBlockDelta:
			switch d := e.Value.Delta.(type) {
			case *types.ContentBlockDeltaMemberText:
				if !r.called {
					r.prose += d.Value
				}
			case *types.ContentBlockDeltaMemberToolUse:
				if r.called && aws.ToInt32(e.Value.ContentBlockIndex) == first {
					r.arguments += aws.ToString(d.Value.Input)
				}
			}
		case *types.ConverseStreamOutputMemberMessageStop:
			r.stop = string(e.Value.StopReason)
		case *types.ConverseStreamOutputMemberMetadata:
			r.usage = converseUsage(e.Value.Usage)
		}
	}
	if err := stream.Err(); err != nil {
		return converseError(t, err)
	}
	return r
}

// plain makes numbers of a document such as encoding/json has.
func plain(t *testing.T, v any) any {
	t.Helper()
	switch v := v.(type) {
	case map[string]any:
		for name := range v {
			v[name] = plain(t, v[name])
		}
	case []any:
		for i := range v {
			v[i] = plain(t, v[i])
		}
	case interface{ String() string }:
		return json.Number(v.String())
	}
	return v
}

func converseUsage(u *types.TokenUsage) dialect.Usage {
	if u == nil {
		return dialect.Usage{}
	}
	read, written := int(aws.ToInt32(u.CacheReadInputTokens)), int(aws.ToInt32(u.CacheWriteInputTokens))
	counted := dialect.Usage{
		Input: int(aws.ToInt32(u.InputTokens)) + read + written, CachedInput: read, CacheWrite: written, Output: int(aws.ToInt32(u.OutputTokens)), Known: true,
	}
	for _, d := range u.CacheDetails {
		if d.Ttl == types.CacheTTLOneHour {
			counted.LongCacheWrite += int(aws.ToInt32(d.InputTokens))
		}
	}
	return counted
}

func converseError(t *testing.T, err error) *reading {
	t.Helper()
	var named smithy.APIError
	if !errors.As(err, &named) {
		t.Fatalf("the client can't read it: %T %v", err, err)
	}
	r := &reading{failed: true, status: http.StatusOK}
	if code := named.ErrorCode(); code != "UnknownError" { // The client's own word for none.
		r.codes = []string{code}
	}
	var answered *smithyhttp.ResponseError
	if errors.As(err, &answered) {
		r.status = answered.HTTPStatusCode()
	}
	return r
}
