// Package compat says whether one version of a schema may follow another: whether every value that the old one allows is allowed by the new one
// (backward), the other way round (forward), or both (full). It compares what the versions mean, not how they are written: references, the order of
// alternatives, descriptions and the draft's spelling of a keyword do not matter. It is not for lowering: where a schema is silent about further members,
// they are allowed, as JSON Schema has it, and not shut out as providers read it.
//
// The main type is [Report]; [Check] makes it.
//
// How it works: inclusion is proven keyword by keyword. A group (group.go) is a set of subschemas of one version that judge the same value; prove.go goes
// through the keywords of a subschema of the other version and asks for each whether the group implies it, kind by kind, and splits the group by its
// alternatives where it does not at once. What is assumed of a recursive schema is assumed of smaller values only, which is induction. What cannot be proven is a gap: for each, sample.go tries to build a
// value that one version allows and the other refuses. With such a value, judged by both versions as wholes, the change is breaking; without one it is
// undecided, which counts as breaking as well. So a change is called compatible only where that is proven, and "breaking" only with evidence. All work is
// bounded in steps and by the context.
package compat
