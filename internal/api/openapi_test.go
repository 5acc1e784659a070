package api

import (
	"os"
	"testing"
)

func TestX(t *testing.T) {
	raw, err := OpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	os.WriteFile("/tmp/openapi.json", raw, 0o600)
}
