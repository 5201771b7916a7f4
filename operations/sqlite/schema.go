package sqlite

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"counterfoil/domain"
)

// applicationID marks the file as ours in SQLite's header: "CFop".
const applicationID = 0x43466f70

// oldestSQLite is the first release without the WAL-reset bug, by which two
// processes could corrupt the file (sqlite.org/wal.html, 3.7.0 to 3.51.2).
const oldestSQLite = "3.51.3"

// steps take the schema from user_version i to i+1. A step that was released
// is never edited; the next one changes what it made.
var steps = []string{`
CREATE TABLE data_keys (       -- FULL: see the package comment
  id  BLOB NOT NULL PRIMARY KEY, -- first 16 bytes of SHA-256 of the stream's name
  key BLOB NOT NULL              -- 32 random bytes, AES-256
) WITHOUT ROWID, STRICT;

CREATE TABLE api_keys (
  id         TEXT NOT NULL PRIMARY KEY,
  sha256     BLOB NOT NULL,
  person     TEXT NOT NULL,
  service    INTEGER NOT NULL,
  scopes     TEXT NOT NULL,     -- JSON lists
  channels   TEXT NOT NULL,
  accounts   TEXT NOT NULL,
  created_at INTEGER NOT NULL,  -- every *_at: microseconds since 1970 UTC, 0 for none
  revoked_at INTEGER NOT NULL
) WITHOUT ROWID, STRICT;

CREATE TABLE callbacks (
  seq          INTEGER PRIMARY KEY, -- received_at, or one more than the row before
  delivery     BLOB NOT NULL,
  channel      TEXT NOT NULL,
  received_at  INTEGER NOT NULL,
  took_ns      INTEGER NOT NULL,
  remote       TEXT NOT NULL,
  method       TEXT NOT NULL,
  outcome      TEXT NOT NULL,
  reason       TEXT NOT NULL,
  order_no     TEXT NOT NULL,
  trade_no     TEXT NOT NULL,
  amount       INTEGER NOT NULL,    -- minor units
  currency     TEXT NOT NULL,
  reply_status INTEGER NOT NULL,
  reply_type   TEXT NOT NULL,
  reply_body   TEXT NOT NULL,
  body_sha256  TEXT NOT NULL,
  error        TEXT NOT NULL,
  slot         INTEGER              -- where order_no is found, see slots
) STRICT;
CREATE INDEX callbacks_channel ON callbacks (channel);
CREATE INDEX callbacks_slot ON callbacks (slot) WHERE slot IS NOT NULL;
CREATE INDEX callbacks_outcome ON callbacks (outcome)
  WHERE outcome <> 'credited' AND outcome <> 'repeated';

CREATE TABLE refused (               -- one row per refused callback
  seq     INTEGER PRIMARY KEY,
  size    INTEGER NOT NULL,
  request BLOB
) STRICT;

CREATE TABLE counters (name TEXT NOT NULL PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID, STRICT;
INSERT INTO counters VALUES ('callbacks', 0), ('refused', 0), ('refused_bytes', 0);

CREATE TABLE probe (filler BLOB NOT NULL) STRICT; -- always empty, see committer.ready

CREATE TABLE idempotency (           -- in order of claimed_at
  owner      TEXT NOT NULL,
  key        TEXT NOT NULL,
  hash       BLOB NOT NULL,
  claimed_at INTEGER NOT NULL,
  status     INTEGER NOT NULL,
  body       BLOB NOT NULL,
  PRIMARY KEY (owner, key)
) STRICT;

CREATE TABLE leases (
  name   TEXT NOT NULL PRIMARY KEY,
  holder TEXT NOT NULL,              -- '' while released
  token  INTEGER NOT NULL,
  until  INTEGER NOT NULL
) WITHOUT ROWID, STRICT;

CREATE TABLE asks (
  channel   TEXT NOT NULL,
  order_no  TEXT NOT NULL,
  trade_no  TEXT NOT NULL,
  why       TEXT NOT NULL,
  since     INTEGER NOT NULL,
  attempts  INTEGER NOT NULL,
  next_at   INTEGER NOT NULL,
  last_at   INTEGER NOT NULL,
  last_said TEXT NOT NULL,
  done      INTEGER NOT NULL,
  PRIMARY KEY (channel, order_no, trade_no, why)
) WITHOUT ROWID, STRICT;
CREATE INDEX asks_due ON asks (next_at) WHERE done = 0;

CREATE TABLE runs (
  id         TEXT NOT NULL PRIMARY KEY,
  kind       TEXT NOT NULL,
  holder     TEXT NOT NULL,
  state      TEXT NOT NULL,
  started_at INTEGER NOT NULL,
  ended_at   INTEGER NOT NULL,
  asked      INTEGER NOT NULL,
  paid       INTEGER NOT NULL,
  healed     INTEGER NOT NULL,
  confirmed  INTEGER NOT NULL,
  closed     INTEGER NOT NULL,
  unknown    INTEGER NOT NULL,
  unanswered INTEGER NOT NULL,
  differing  INTEGER NOT NULL,
  note       TEXT NOT NULL,
  cursor     TEXT NOT NULL
) WITHOUT ROWID, STRICT;
CREATE INDEX runs_started ON runs (started_at, id);
CREATE INDEX runs_kind ON runs (kind, started_at, id);

CREATE TABLE cursors (name TEXT NOT NULL PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID, STRICT;
`, `
CREATE INDEX asks_held ON asks (next_at) WHERE done = 0 AND why = 'held';
`, `
CREATE TABLE bill_runs (
  seq     INTEGER PRIMARY KEY AUTOINCREMENT,
  id      TEXT NOT NULL UNIQUE,
  channel TEXT NOT NULL,
  bill    TEXT NOT NULL,
  day     TEXT NOT NULL,
  state   TEXT NOT NULL,
  body    BLOB NOT NULL             -- JSON of operations.BillRun
) STRICT;
CREATE INDEX bill_runs_day ON bill_runs (channel, day);

CREATE TABLE discrepancies (
  seq      INTEGER PRIMARY KEY AUTOINCREMENT,
  id       BLOB NOT NULL UNIQUE,
  channel  TEXT NOT NULL,
  bill     TEXT NOT NULL,
  day      TEXT NOT NULL,
  kind     TEXT NOT NULL,
  state    TEXT NOT NULL,
  item     TEXT NOT NULL,           -- with trade_no and ref: what it is about
  trade_no TEXT NOT NULL,
  ref      TEXT NOT NULL,
  body     BLOB NOT NULL            -- JSON of operations.Discrepancy
) STRICT;
CREATE INDEX discrepancies_item ON discrepancies (channel, trade_no);
CREATE INDEX discrepancies_day ON discrepancies (channel, day);
CREATE INDEX discrepancies_open ON discrepancies (seq) WHERE state = 'open';

CREATE TABLE carried (
  channel  TEXT NOT NULL,
  bill     TEXT NOT NULL,
  kind     TEXT NOT NULL,
  trade_no TEXT NOT NULL,
  ref      TEXT NOT NULL,
  our_day  TEXT NOT NULL,
  since    TEXT NOT NULL,           -- '' for one that never waited
  on_day   TEXT NOT NULL,           -- '' while it waits
  line     BLOB NOT NULL,           -- JSON of domain.OurLine
  PRIMARY KEY (channel, bill, kind, trade_no, ref)
) WITHOUT ROWID, STRICT;
`}

// identify refuses a file that is not an operations store, by its first bytes
// and without opening it as a database, so that a foreign file is not touched.
func identify(path string) error {
	f, err := os.Open(path) //nolint:gosec // the operator names the file
	if errors.Is(err, os.ErrNotExist) {
		return domain.E(domain.KindNotFound, "operations store %s does not exist: make one with init", path)
	}
	if err != nil {
		return domain.E(domain.KindUnavailable, "open operations store: %w", err)
	}
	defer f.Close()
	var header [100]byte
	if _, err := io.ReadFull(f, header[:]); err != nil {
		return domain.E(domain.KindCorrupt, "%s is not an operations store: too short; if its making was interrupted, remove it and make it again", path)
	}
	if !strings.HasPrefix(string(header[:]), "SQLite format 3\x00") {
		return domain.E(domain.KindCorrupt, "%s is not a SQLite file", path)
	}
	if id := binary.BigEndian.Uint32(header[68:72]); id != applicationID {
		return domain.E(domain.KindMismatch, "%s is a SQLite file of another application (id %#x), not an operations store", path, id)
	}
	return nil
}

// refuseOld refuses a SQLite release before oldestSQLite.
func refuseOld(version string) error {
	have, err := versionParts(version)
	if err != nil {
		return err
	}
	least, err := versionParts(oldestSQLite)
	if err != nil {
		return err
	}
	for i := range have {
		if have[i] > least[i] {
			return nil
		}
		if have[i] < least[i] {
			return domain.E(domain.KindInvalid, "SQLite %s can corrupt a file that two processes use: at least %s is needed", version, oldestSQLite)
		}
	}
	return nil
}

func versionParts(version string) ([3]int, error) {
	var parts [3]int
	for i, s := range strings.SplitN(version, ".", 3) {
		n, err := strconv.Atoi(s)
		if err != nil {
			return parts, domain.E(domain.KindInternal, "SQLite version %q is not three numbers", version)
		}
		parts[i] = n
	}
	return parts, nil
}

// migrate brings the schema to the newest version in one transaction, or
// refuses a file that a newer program has written.
func migrate(ctx context.Context, c *sql.Conn, path string) error {
	var version int
	if err := c.QueryRowContext(ctx, `PRAGMA user_version`).Scan(&version); err != nil {
		return classify("read schema version", err)
	}
	if version > len(steps) {
		return domain.E(domain.KindMismatch, "%s has schema %d, this program knows up to %d: use a newer one", path, version, len(steps))
	}
	for _, step := range steps[version:] {
		if _, err := c.ExecContext(ctx, step); err != nil {
			return classify("change schema", err)
		}
	}
	if version == len(steps) {
		return nil
	}
	// PRAGMA takes no parameters; both are numbers of ours.
	pragmas := fmt.Sprintf(`PRAGMA application_id = %d; PRAGMA user_version = %d`, applicationID, len(steps))
	if _, err := c.ExecContext(ctx, pragmas); err != nil {
		return classify("mark schema version", err)
	}
	return nil
}
