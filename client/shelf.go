package client

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// shelf is what a server keeps as names with immutable versions. Schemas and templates have the same calls, each below its own path.
type shelf string

const (
	schemas   shelf = "schema"
	templates shelf = "template"
)

func (s shelf) path() string { return "/v1/" + string(s) + "s" }

// pathOf is the path of a name, or of a version for name@version.
func (s shelf) pathOf(ref, after string) (string, error) {
	name, version, versioned := strings.Cut(ref, "@")
	path, err := pathOf(s.path(), name, "")
	if err != nil {
		return "", fmt.Errorf("%q is not a reference to a %s: write name or name@version", ref, s)
	}
	if !versioned {
		return path + after, nil
	}
	if n, err := strconv.Atoi(version); err != nil || n < 1 {
		return "", fmt.Errorf("%q is not a reference to a %s: versions count 1, 2, 3 …", ref, s)
	}
	return path + "/versions/" + version + after, nil
}

// publishOn publishes a name or its next version. It is not new where the newest version had this content already.
func publishOn[Published any](ctx context.Context, c *Client, s shelf, publication any) (out *Published, isNew bool, err error) {
	body, err := encode(publication)
	if err != nil {
		return nil, false, err
	}
	response, err := c.send(ctx, call{method: http.MethodPost, path: s.path(), body: body})
	if err != nil {
		return nil, false, err
	}
	defer response.Body.Close() //nolint:errcheck // Nothing can be done about it.
	raw, err := readAll(response.Body)
	if err != nil {
		return nil, false, err
	}
	out = new(Published)
	if err := json.Unmarshal(raw, out); err != nil {
		return nil, false, fmt.Errorf("POST %s: the answer is not what promptd sends: %w", s.path(), err)
	}
	return out, response.StatusCode == http.StatusCreated, nil
}

// listOn reads a page of names.
func listOn[Name any](ctx context.Context, c *Client, s shelf, p Page, withdrawn bool) (*List[Name], error) {
	return fetch[*List[Name]](ctx, c, call{method: http.MethodGet, path: s.path(), query: withWithdrawn(p.query(), withdrawn), repeatable: true})
}

// versionsOn reads every version of a name.
func versionsOn[Version any](ctx context.Context, c *Client, s shelf, name string, withdrawn bool) iter.Seq2[Version, error] {
	return every(ctx, func(ctx context.Context, p Page) (*List[Version], error) {
		path, err := s.pathOf(name, "/versions")
		if err != nil {
			return nil, err
		}
		return fetch[*List[Version]](ctx, c, call{method: http.MethodGet, path: path, query: withWithdrawn(p.query(), withdrawn), repeatable: true})
	})
}

// readOn reads what a reference names, or what stands after it.
func readOn[T any](ctx context.Context, c *Client, s shelf, ref, after string, withdrawn bool) (*T, error) {
	path, err := s.pathOf(ref, after)
	if err != nil {
		return nil, err
	}
	return fetch[*T](ctx, c, call{method: http.MethodGet, path: path, query: withWithdrawn(url.Values{}, withdrawn), repeatable: true})
}

// askOn sends a body to what stands after a reference.
func askOn[T any](ctx context.Context, c *Client, s shelf, method, ref, after string, body any) (*T, error) {
	path, err := s.pathOf(ref, after)
	if err != nil {
		return nil, err
	}
	raw, err := encode(body)
	if err != nil {
		return nil, err
	}
	return fetch[*T](ctx, c, call{method: method, path: path, body: raw})
}

// withdrawOn hides a version or a whole name.
func withdrawOn(ctx context.Context, c *Client, s shelf, ref string) error {
	path, err := s.pathOf(ref, "")
	if err != nil {
		return err
	}
	_, err = c.do(ctx, call{method: http.MethodDelete, path: path, repeatable: true})
	return err
}

// restoreOn undoes that, and gives the name.
func restoreOn[Name any](ctx context.Context, c *Client, s shelf, ref string) (*Name, error) {
	return askOn[Name](ctx, c, s, http.MethodPost, ref, "/restore", struct{}{})
}

func withWithdrawn(q url.Values, withdrawn bool) url.Values {
	if withdrawn {
		q.Set("withdrawn", "true")
	}
	return q
}
