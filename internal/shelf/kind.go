package shelf

import (
	"fmt"

	"github.com/promptd/promptd/internal/fault"
)

// Kind is what stands on a shelf, as messages, paths and commands call it: schema.
type Kind string

// Many is the plural: schemas.
func (k Kind) Many() string { return string(k) + "s" }

// NoName is the fault of a name that a team does not have.
func (k Kind) NoName(name string) error {
	f := fault.New(fault.NotFound, "there is no %s %s", k, name)
	f.Remediation = fmt.Sprintf("GET /v1/%s lists the team's %s; POST /v1/%s publishes one.", k.Many(), k.Many(), k.Many())
	return f
}

// NoVersion is the fault of a version that a name does not have.
func (k Kind) NoVersion(n *Name, number int) error {
	f := fault.New(fault.NotFound, "the %s %s has no version %d; the newest is %d", k, n.Name, number, n.Newest)
	f.Remediation = "GET /v1/" + k.Many() + "/" + n.Name + "/versions lists its versions."
	return f
}

// withdrawn is the fault of a publication under a name that was withdrawn.
func (k Kind) withdrawn(name string) error {
	f := fault.New(fault.Conflict, "the %s %s was withdrawn and takes no versions", k, name)
	f.Remediation = fmt.Sprintf("Restore it first: POST /v1/%s/%s/restore, or promptd %s restore %s. Or use another name.", k.Many(), name, k.Many(), name)
	return f
}

// gone is the GONE fault of a reference that can't be used, or nil.
func (k Kind) gone(n *Name, v *Version, ref Ref) error {
	var f *fault.Fault
	many := k.Many()
	switch {
	case !n.WithdrawnAt.IsZero():
		f = fault.New(fault.Gone, "the %s %s was withdrawn at %s", k, n.Name, n.WithdrawnAt.Format(timeForm))
		f.Remediation = fmt.Sprintf("Use another %s, or restore it: POST /v1/%s/%s/restore, or promptd %s restore %s.", k, many, n.Name, many, n.Name)
	case v.Number == 0:
		f = fault.New(fault.Gone, "every version of the %s %s was withdrawn", k, n.Name)
		f.Remediation = "Publish another version, or restore one: " + k.restoring(Ref{n.Name, n.Newest})
	case !v.WithdrawnAt.IsZero():
		f = fault.New(fault.Gone, "the %s %s was withdrawn at %s", k, ref, v.WithdrawnAt.Format(timeForm))
		f.Remediation = "Restore it: " + k.restoring(ref)
		if n.Current != 0 {
			f.Remediation = fmt.Sprintf("Use %s@%d, the newest that can be used, or restore this one: promptd %s restore %s.", n.Name, n.Current, many, ref)
		}
	default:
		return nil
	}
	return f
}

// restoring says how a version is restored.
func (k Kind) restoring(ref Ref) string {
	return fmt.Sprintf("POST /v1/%s/%s/versions/%d/restore, or promptd %s restore %s.", k.Many(), ref.Name, ref.Version, k.Many(), ref)
}

// timeForm is how times stand in messages.
const timeForm = "2006-01-02T15:04:05Z07:00"
