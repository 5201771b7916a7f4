// Package crash tries the real programs where money gets lost: killed with -9
// at random moments, on a full disk, before a locked store, when a sync fails,
// under slow clients and floods. It has no code of its own, only tests; they
// build the programs, start them as processes on a store made for the test,
// and read the log behind their back.
//
// Its rule of evidence: a callback counts as acknowledged only if its answer
// was read before the kill began.
//
// COUNTERFOIL_KILL_ROUNDS says how often the programs are killed (3 when not
// set), COUNTERFOIL_KILL_SEED repeats a run's choices.
package crash
