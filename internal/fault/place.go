package fault

import "slices"

// Under gives the fault of a part of the body as a fault of the body: every entry's pointer is moved below the part's own. Faults are shared (a cache gives
// the same one to many), so the copy is the caller's and the fault stays as it is.
func (f *Fault) Under(pointer string) *Fault {
	return f.Moved(func(e *Entry) { e.Pointer = pointer + e.Pointer })
}

// Moved gives a copy of the fault with each entry changed; the fault stays as it is.
func (f *Fault) Moved(change func(*Entry)) *Fault {
	moved := *f
	moved.Entries = slices.Clone(f.Entries)
	for i := range moved.Entries {
		change(&moved.Entries[i])
	}
	return &moved
}

// At gives the fault of what a field refers to as a fault of that field: one entry, which says what the whole fault does. An invalid request is one for the
// text of the reference: its entry's rule and hint stay.
func (f *Fault) At(pointer, rule string) *Fault {
	moved := *f
	entry := Entry{Pointer: pointer, Rule: rule, Message: f.Detail, Hint: f.Remediation}
	if len(f.Entries) > 0 && f.Code == InvalidRequest {
		entry.Rule, entry.Hint = f.Entries[0].Rule, f.Entries[0].Hint
	}
	moved.Entries = []Entry{entry}
	return &moved
}

// InSchema moves an INVALID_SCHEMA to the schema's place in a body, and leaves any other error as it is: faults of a schema point into the schema alone.
func InSchema(pointer string, err error) error {
	if !Is(err, InvalidSchema) {
		return err
	}
	return Of(err).Under(pointer)
}
