// Package sqlite keeps the operations store in one SQLite file, operations.db,
// which the API and any number of reconcilers on the same machine use at once.
//
// # Durability
//
// The file is in WAL mode. A commit writes its pages to the end of the WAL; how
// far it goes before it returns is a setting of the connection that commits:
//
//   - synchronous=NORMAL leaves the WAL to the operating system. A killed
//     process loses nothing; a power cut may lose the last commits. The WAL is
//     synced before a checkpoint copies it into the file, so that the file
//     never holds half a commit. Everything but keys is written so.
//   - synchronous=FULL also syncs the WAL in each commit, before the commit
//     can be seen by any reader. Data keys and API keys are written so: a key
//     that any caller has seen survives a power cut. The sync covers the whole
//     WAL and with it the NORMAL commits before, so a key never stands behind
//     a hole in it. A checkpoint by a NORMAL connection takes nothing back.
//
// A sync that fails leaves unknown what the disk holds: the waiting writes get
// KindUnknown, Ready stays red with KindUnknown, every later write is refused,
// and the process has to be started again, so that SQLite reads back what is
// there. A full or busy disk is KindUnavailable and passes by itself.
//
// # Writers
//
// SQLite has one writer at a time. Inside a process all writes pass two
// committers, one for keys and one for the rest, that put everything that waits
// into one transaction (group commit on arrival) and take turns. Between
// processes BEGIN IMMEDIATE is tried again at random intervals for at most five
// seconds; a process that wrote for a tenth of a second without a gap rests for
// two milliseconds, so that those who wait get in.
//
// # Who reads this file
//
// operations.db and its -wal hold data keys in clear, remote addresses and the
// bytes of refused requests. Whoever can read it, and the event log beside it,
// can read the evidence and personal fields of every payment; without the log
// the keys open nothing. API keys are here only as SHA-256 of long random
// secrets and cannot be used from here. Whoever can write it can give himself
// an API key, take over leases or hide rows of the callback log, but can
// neither change what is booked nor forge evidence: that stands in the event
// log. Whoever destroys it makes evidence unreadable for good unless a backup
// has the keys; the amounts, credits and balances remain. The file is made with
// mode 0600 in a folder with 0700, and a backup of it is as secret as itself.
package sqlite
