package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"github.com/promptd/promptd/internal/body"
	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/idempotency"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/shelf"
)

// shelved is what the paths of schemas and of templates have in common: names with versions, which the registry and the library keep.
type shelved interface {
	Kind() shelf.Kind
	Find(ctx context.Context, team key.TeamID, ref shelf.Ref, withdrawn bool) (shelf.Name, shelf.Version, error)
	List(ctx context.Context, team key.TeamID, f shelf.Filter) ([]shelf.Name, string, error)
	Versions(ctx context.Context, team key.TeamID, name string, f shelf.VersionFilter) ([]shelf.Version, int, error)
	Withdraw(ctx context.Context, team key.TeamID, ref shelf.Ref) (shelf.Name, error)
	Restore(ctx context.Context, team key.TeamID, ref shelf.Ref) (shelf.Name, error)
}

// refOf reads the name and the version of the path; the version is 0 where the path has none. What can't be either is not there.
func (c *call) refOf(k shelf.Kind) (shelf.Ref, error) {
	ref := shelf.Ref{Name: c.r.PathValue("name")}
	if !shelf.IsName(ref.Name) {
		f := fault.New(fault.NotFound, "there is no %s of this name", k)
		f.Remediation = "GET /v1/" + k.Many() + " lists the team's " + k.Many() + "."
		return ref, f
	}
	text := c.r.PathValue("version")
	if text == "" {
		return ref, nil
	}
	n, err := k.ParseNumber(text)
	if err != nil {
		f := fault.New(fault.NotFound, "the %s %s has no such version: versions count 1, 2, 3 …", k, ref.Name)
		f.Remediation = "GET /v1/" + k.Many() + "/" + ref.Name + "/versions lists its versions."
		return ref, f
	}
	ref.Version = n
	return ref, nil
}

// publish lets a publication in, reads it, keeps it once and says where it is. What keep shows has the members name and version.
func publish[Draft any](s *Server, c *call, k shelf.Kind, read func(*body.Reader) (Draft, error), keep func(context.Context, Draft) (isNew bool, shown any, err error)) error {
	if err := s.counted(c); err != nil {
		return err
	}
	asked, err := readAsked(c, false, read)
	if err != nil {
		return err
	}
	kept, replayed, err := c.work(asked.name, asked.raw, func(ctx context.Context) (idempotency.Response, error) {
		isNew, shown, err := keep(ctx, asked.what)
		if err != nil {
			return idempotency.Response{}, err
		}
		status := http.StatusOK
		if isNew {
			status = http.StatusCreated
		}
		return encoded(status, shown)
	})
	if err != nil {
		return err
	}
	return c.published(k, kept, replayed)
}

// published answers with a published version and says where it is; the version is read from the answer, which may be an earlier one's.
func (c *call) published(k shelf.Kind, kept idempotency.Response, replayed bool) error {
	if kept.Status == http.StatusCreated {
		var made struct {
			Name    string `json:"name"`
			Version int    `json:"version"`
		}
		if err := json.Unmarshal(kept.Body, &made); err != nil || made.Name == "" {
			return fmt.Errorf("a kept answer names no version: %w", err)
		}
		c.w.Header().Set("Location", "/v1/"+k.Many()+"/"+made.Name+"/versions/"+strconv.Itoa(made.Version))
	}
	if replayed {
		c.w.Header().Set("Idempotent-Replayed", "true")
	}
	return c.kept(kept)
}

// find reads what the path names; withdrawn=true shows what was withdrawn too.
func (c *call) find(on shelved) (shelf.Name, shelf.Version, error) {
	q := c.query()
	withdrawn := q.flag("withdrawn")
	if err := q.done(); err != nil {
		return shelf.Name{}, shelf.Version{}, err
	}
	ref, err := c.refOf(on.Kind())
	if err != nil {
		return shelf.Name{}, shelf.Version{}, err
	}
	return on.Find(c.r.Context(), c.caller.Team, ref, withdrawn)
}

// namesOn reads the page of names that the query asks for, as they are shown.
func namesOn[Shown any](c *call, on shelved, show func(*shelf.Name) Shown) (page []Shown, next string, err error) {
	q := c.query()
	f := shelf.Filter{Limit: q.number("limit", shelf.DefaultPage, 1, shelf.MaxPage), Withdrawn: q.flag("withdrawn")}
	f.After, _ = q.text("cursor")
	if f.After != "" && !shelf.IsName(f.After) {
		q.badCursor()
	}
	if err := q.done(); err != nil {
		return nil, "", err
	}
	list, next, err := on.List(c.r.Context(), c.caller.Team, f)
	return shownEach(list, show), next, err
}

// versionsOn reads the page of a name's versions that the path and the query ask for.
func versionsOn[Shown any](c *call, on shelved, show func(*shelf.Version) Shown) (page []Shown, cursor string, err error) {
	q := c.query()
	f := shelf.VersionFilter{Limit: q.number("limit", shelf.DefaultPage, 1, shelf.MaxPage), Withdrawn: q.flag("withdrawn")}
	if text, given := q.text("cursor"); given && text != "" {
		if f.Before, err = on.Kind().ParseNumber(text); err != nil {
			q.badCursor()
		}
	}
	if err := q.done(); err != nil {
		return nil, "", err
	}
	ref, err := c.refOf(on.Kind())
	if err != nil {
		return nil, "", err
	}
	list, next, err := on.Versions(c.r.Context(), c.caller.Team, ref.Name, f)
	if next != 0 {
		cursor = strconv.Itoa(next)
	}
	return shownEach(list, show), cursor, err
}

func (q *query) badCursor() {
	q.fault("cursor", "cursor", "it is not one that promptd gave", "Send next_cursor unchanged, or none to begin.")
}

// shownEach shows each of a list; an empty one is [] and not null.
func shownEach[T, Shown any](list []T, show func(*T) Shown) []Shown {
	page := make([]Shown, len(list))
	for i := range list {
		page[i] = show(&list[i])
	}
	return page
}

// withdraw withdraws what the path names.
func (c *call) withdraw(on shelved) error {
	ref, err := c.refOf(on.Kind())
	if err != nil {
		return err
	}
	if _, err := on.Withdraw(c.r.Context(), c.caller.Team, ref); err != nil {
		return err
	}
	return c.empty()
}

// restore undoes that, and shows the name. It takes no body.
func restore[Shown any](c *call, on shelved, show func(*shelf.Name) Shown) error {
	ref, err := c.refOf(on.Kind())
	if err != nil {
		return err
	}
	asked, err := readAsked(c, true, readNothing)
	if err != nil {
		return err
	}
	return c.once(asked.name, asked.raw, func(ctx context.Context) (idempotency.Response, error) {
		after, err := on.Restore(ctx, c.caller.Team, ref)
		if err != nil {
			return idempotency.Response{}, err
		}
		return encoded(http.StatusOK, show(&after))
	})
}
