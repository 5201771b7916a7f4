// Package simulation plays whole installations against a misbehaving gateway in
// one process and without sockets: the sandbox, two API processes and two
// sweepers on one log, with appends that fail or lie, answers that get lost,
// processes that die and clocks that differ. All chance comes from one seed, so
// that a run that went wrong can be had again: the same seed gives the same
// trace.
//
// After each step the whole log is checked against the rules that no code path
// may break; at the end all faults are healed, and what was paid at the gateway
// must stand in the books, once.
package simulation
