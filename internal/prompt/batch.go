package prompt

import (
	"errors"
	"slices"
	"strconv"

	"github.com/promptd/promptd/internal/body"
	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/value"
)

// MostItems is how many prompts one call may hold (product.md section 3).
const MostItems = 100

// mostItemID bounds the name that a caller gives an item, in bytes.
const mostItemID = 128

// Item is one prompt of a batch.
type Item struct {
	// ID is the caller's name of the item; its place in the batch, counted from 0, where it has none.
	ID     string
	Prompt Prompt
	// Fault is why the item can't be run. It is the item's own: the others run.
	Fault error

	own   value.Value // the item as it was sent
	place string      // its pointer in the body
	among value.Value // what the batch says for all
}

// Shared are the fields that a batch may say once for all of its items. An item's own word wins, in options field by field.
func Shared() []string { return []string{"schema", "format", "options", "template"} }

// ReadBatch makes the items of a request's body. The error is a fault of the batch itself: of its form, of what the items share, of their ids. A fault
// inside one item is that item's, so that one bad row does not stop ninety-nine good ones.
func ReadBatch(v value.Value, d Defaults) ([]Item, error) {
	r := body.Open(v)
	list, given := r.Value("items")
	for _, field := range Shared() {
		r.Value(field)
	}
	switch {
	case !given:
		r.Fault("items", "required", "items is missing", `Send the prompts as items, for example [{"id": "a", "prompt": "…"}].`)
	case list.Kind() != value.KindArray:
		r.Fault("items", "type", "items must be an array of objects", "")
	case list.Len() == 0:
		r.Fault("items", "minItems", "items is empty", "Send at least one item.")
	case list.Len() > MostItems:
		r.Fault("items", "maxItems", "items holds "+strconv.Itoa(list.Len())+" prompts; one call takes "+strconv.Itoa(MostItems), "Send them in several calls.")
	}
	if err := r.Done(); err != nil {
		return nil, err
	}
	if err := CheckShared(v, d); err != nil {
		return nil, err
	}
	readers := r.Objects("items")
	items := make([]Item, 0, len(readers))
	seen := map[string]int{}
	for i, reader := range readers {
		id := strconv.Itoa(i)
		if _, named := reader.Value("id"); named {
			id = reader.String("id", id)
			if id == "" || len(id) > mostItemID {
				reader.Fault("id", "length", "id must have 1 to "+strconv.Itoa(mostItemID)+" bytes", "Leave it out to have the items counted from 0.")
			}
		}
		if first, taken := seen[id]; taken {
			reader.Fault("id", "unique", "this id is the same as that of item "+strconv.Itoa(first), "Give each item an id of its own; items without one are counted from 0.")
		}
		seen[id] = i
		items = append(items, Item{ID: id, own: list.At(i), place: value.AppendIndex("/items", i), among: v})
	}
	if err := r.Noted(); err != nil { // The fields of the items are read below, one item at a time.
		return nil, err
	}
	for i := range items {
		items[i].read(d)
	}
	return items, nil
}

// CheckShared reads what the items share by itself, so that a fault in it is told once and where it stands.
func CheckShared(v value.Value, d Defaults) error {
	alone := value.Object(value.Member{Name: "prompt", Value: value.String("x")})
	for _, field := range Shared() {
		if own, ok := v.Get(field); ok && field != "template" { // A template is read with the parameters of an item.
			alone = alone.With(field, own)
		}
	}
	_, err := Read(alone, d)
	return err
}

// read reads the item as a request of its own, with what the batch says for all where it says nothing itself.
func (i *Item) read(d Defaults) {
	whole := i.own.Without("id")
	if _, own := whole.Get("stream"); own {
		i.Fault = fault.Invalid(i.place+"/stream", "unsupported", "an item of a batch can't be streamed", "Leave stream out, or send the prompt to /v1/analyze.")
		return
	}
	_, continues := whole.Get("state")
	for _, field := range Shared() {
		common, ok := i.among.Get(field)
		if !ok || continues { // A state holds what was asked for.
			continue
		}
		own, has := whole.Get(field)
		switch {
		case !has && (field != "template" || !speaks(whole)):
			whole = whole.With(field, common)
		case has && field == "options" && own.Kind() == value.KindObject:
			whole = whole.With(field, merged(common, own))
		}
	}
	i.Prompt, i.Fault = Read(whole, d)
	i.Fault = i.Placed(i.Fault)
}

// speaks tells whether an item brings a text of its own, so that the template of all is not meant for it.
func speaks(item value.Value) bool {
	return slices.ContainsFunc([]string{"prompt", "messages"}, func(field string) bool { _, ok := item.Get(field); return ok })
}

// merged are an item's options over those of all.
func merged(common, own value.Value) value.Value {
	for name, v := range own.Members() {
		common = common.With(name, v)
	}
	return common
}

// Placed moves the pointers of a fault from the item, read as a request of its own, to the places in the batch's body where its fields stand.
func (i *Item) Placed(err error) error {
	var f *fault.Fault
	if !errors.As(err, &f) || len(f.Entries) == 0 {
		return err
	}
	return f.Moved(func(e *fault.Entry) {
		_, own := i.own.Lookup(e.Pointer)
		_, common := i.among.Lookup(e.Pointer)
		if forAll := !own && common && e.Pointer != ""; !forAll {
			e.Pointer = i.place + e.Pointer
		}
	})
}
