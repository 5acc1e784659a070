// Package simulation runs the real parts that do durable work (job, broker, delivery, limit) in drawn histories, in a time of their own, on servers in memory that fail as real ones do.
//
// It is not for SQL, the network's bytes or the operating system: those are the suite's under test/chaos. Here every call of a store is a step before or after which the process
// may die, so that a million orders of events are looked at that real kills hardly hit.
//
// A history is drawn from its seed: orders, faults and the answers of the provider and the receiver. Processes (one takes jobs, three do them) have nothing in common but a store, a
// broker, a provider and a receiver; each sees them by handles of its own (process), and a process that died has no effect any more. What is seen from outside is
// written down as a history of package history, whose judge knows the promises alone.
package simulation
