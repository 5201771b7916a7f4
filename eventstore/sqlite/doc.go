// Package sqlite keeps the event store in one SQLite file: the default store.
//
// Two tables that are only ever added to (triggers refuse the rest): events,
// with a leaf hash per row that every read checks, and evidence, the sealed
// parts. The file runs in WAL mode with synchronous=FULL, so an append that
// returned has been synced.
//
// Each process has one committer. It takes everything that has queued up since
// its last commit into one transaction and judges each append in it on its
// own. Several processes may write to one file: whoever finds it locked tries
// again within a millisecond, for five seconds.
//
// What the store cannot do it says in one of three ways. Nothing was written
// and trying later helps (a full disk, a lock that stays): KindUnavailable,
// Ready says why, and a probe turns it green again. Something may have been
// written (a failed sync): KindUnknown, and the store has failed for good,
// because after a failed sync the kernel may drop what it could not write; the
// next opening recovers from what is on the disk. Stored bytes do not fit
// their hash: KindCorrupt, with the position.
package sqlite
