package prompt

import (
	"strconv"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/value"
)

// ReadItem reads one item of a batch by itself: the n-th, counted from 0, with what the batch says for all. What is wrong with it, its name too, is in its Fault;
// whether the name is another item's is the caller's to know.
func ReadItem(own, among value.Value, n int, d Defaults) Item {
	i := Item{ID: strconv.Itoa(n), own: own, place: value.AppendIndex("/items", n), among: among}
	if own.Kind() != value.KindObject {
		i.Fault = fault.Invalid(i.place, "type", "an item must be an object", `Send for example {"id": "a", "prompt": "…"}.`)
		return i
	}
	if id, named := own.Get("id"); named {
		if id.Kind() != value.KindString || id.Text() == "" || len(id.Text()) > mostItemID {
			i.Fault = fault.Invalid(i.place+"/id", "length", "id must be a string of 1 to "+strconv.Itoa(mostItemID)+" bytes", "Leave it out to have the items counted from 0.")
			return i
		}
		i.ID = id.Text()
	}
	i.read(d)
	return i
}
