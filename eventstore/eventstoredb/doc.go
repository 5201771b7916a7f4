// Package eventstoredb keeps the event store in EventStoreDB or KurrentDB, for
// those who outgrow one machine. The client is the official one for Go, in its
// last version (v4.2.0, archived), and this package is the only one that knows
// it.
//
// Where things stand. A stream s is the server's stream "<namespace>.s". An
// event's id and type are the server's own fields, its data is the server's
// data (content type application/json), and meta and sealed share the custom
// metadata in one envelope:
//
//	byte 0      1, the version of the envelope
//	bytes 1-4   length of meta, big endian
//	then        meta, exactly as it was handed in
//	then        sealed, to the end; none when nothing is left
//
// A position is the commit position, which for appended events equals the
// prepare position; one that differs is KindCorrupt. System events and other
// programs' streams are filtered out by the server.
//
// Appends expect an exact revision or no stream, and their ids are the
// caller's, so the server's strong idempotence rule holds for ever. Whatever
// leaves the outcome open (deadline, abort, a lost connection, a change of
// leader) is followed by the identical call, until Options.Wait is over; only
// then the answer is KindUnknown.
//
// The client has habits that a ledger cannot live with: it dies for good after
// a failed discovery, it can block callers for ever, and it forgets connections
// when it rediscovers. So a supervisor owns it. Every call runs in a goroutine
// of its own and is left behind when its context ends; at the first sign of
// trouble the whole client is retired, buried when its calls are over, and
// replaced by a new one. See session for how the client is kept from acting on
// its own plans.
//
// A stream whose metadata lets the server forget events ($maxAge, $maxCount,
// $tb) is no ledger: Open refuses it where it is found within a moment, and a
// running store that finds one, or sees one appear, takes no appends until it is
// gone. The user that the store connects as must
// be allowed to read $all and stream metadata, which by default means $admins.
package eventstoredb
