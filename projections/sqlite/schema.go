package sqlite

import (
	"context"
	"fmt"

	"counterfoil/domain"
)

// appID marks a projections file: "CFpr".
const appID = 0x43467072

// schemaVersion is this file's shape. Rows are never migrated: a file of an
// older shape is replaced by an empty one and folded again.
const schemaVersion = 9

// schema keeps every row in as few trees as its questions allow: each tree
// that a callback touches is paid for by every callback.
//
//   - names holds the words of closed vocabularies and the channels, so that
//     rows and indexes carry small numbers.
//   - entries is its own index: the balance as of a position is one seek, and
//     the current balance is that of the last entry. A row of its own for it
//     would cost one more scattered page for every credit.
//   - posted also carries what a bill must have of the event: bills are
//     compared along the entries of the provider's account, without a look at
//     the payments.
//   - payments and callbacks have one index by (channel, word, position) that
//     serves every filter: the pairs of channel and word that occur stand in
//     groups, they are few, and their answers are merged.
//   - trades says on which payment money of a number was decided, and whether it
//     was taken back from there; duplicates where that was on several.
//   - turnover holds what each book moved in each period at each channel, all
//     wallets but the test account's in one, and where its bookings begin and end:
//     a trial balance and a report's opening balances are these few rows.
//   - findings and compared say which streams a report of a month must read
//     besides: differences that are open or were closed later, and compared days.
//   - arrivals counts, hour by hour, the payments that a channel's callbacks told
//     of for the first time: what its silence is held against.
//   - clock answers which position belongs to a time: a row for each page in
//     which the running maximum of recorded_at rose, and in it every step.
const schema = `
CREATE TABLE names(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE groups(kind INTEGER NOT NULL, channel INTEGER NOT NULL, word INTEGER NOT NULL,
  PRIMARY KEY(kind, channel, word)) WITHOUT ROWID;
CREATE TABLE checkpoint(
  id INTEGER PRIMARY KEY CHECK(id = 1), position INTEGER NOT NULL, stream TEXT NOT NULL,
  revision INTEGER NOT NULL, event BLOB NOT NULL, ledger BLOB NOT NULL, recorded INTEGER NOT NULL,
  events INTEGER NOT NULL, ledgers INTEGER NOT NULL, payments INTEGER NOT NULL,
  entries INTEGER NOT NULL, callbacks INTEGER NOT NULL, trades INTEGER NOT NULL);
INSERT INTO checkpoint VALUES(1, 0, '', 0, zeroblob(16), zeroblob(16), 0, 0, 0, 0, 0, 0, 0);
CREATE TABLE ledgers(
  id INTEGER PRIMARY KEY, book TEXT NOT NULL, wallet TEXT NOT NULL, currency TEXT NOT NULL,
  UNIQUE(wallet, book, currency));
CREATE TABLE entries(
  ledger INTEGER NOT NULL, position INTEGER NOT NULL, leg INTEGER NOT NULL,
  amount INTEGER NOT NULL, after INTEGER NOT NULL,
  PRIMARY KEY(ledger, position, leg)) WITHOUT ROWID;
CREATE TABLE posted(
  position INTEGER PRIMARY KEY, event BLOB NOT NULL, type INTEGER NOT NULL, stream TEXT NOT NULL,
  value_date TEXT NOT NULL, period INTEGER NOT NULL, recorded INTEGER NOT NULL, line INTEGER, state INTEGER, trade_no TEXT, ref TEXT,
  ref_no TEXT, gross INTEGER, occurred INTEGER);
CREATE TABLE payments(
  id INTEGER PRIMARY KEY, channel INTEGER NOT NULL, ref TEXT NOT NULL, order_no TEXT,
  account TEXT, currency TEXT, amount INTEGER NOT NULL, state INTEGER NOT NULL, trade_no TEXT,
  notices INTEGER NOT NULL, placed_at INTEGER NOT NULL, expires_at INTEGER NOT NULL,
  first_at INTEGER NOT NULL, updated_at INTEGER NOT NULL, position INTEGER NOT NULL,
  closed TEXT, open TEXT, notified INTEGER NOT NULL, credited INTEGER NOT NULL, booked TEXT, UNIQUE(channel, ref));
CREATE INDEX payments_state ON payments(channel, state, position);
CREATE INDEX payments_account ON payments(account, position) WHERE account IS NOT NULL;
CREATE TABLE callbacks(
  position INTEGER PRIMARY KEY, payment INTEGER NOT NULL, delivery BLOB NOT NULL, source INTEGER NOT NULL,
  channel INTEGER NOT NULL, about INTEGER NOT NULL, status INTEGER NOT NULL, outcome INTEGER NOT NULL, reason INTEGER NOT NULL,
  currency TEXT, amount INTEGER NOT NULL, trade_no TEXT, received INTEGER NOT NULL);
CREATE INDEX callbacks_payment ON callbacks(payment);
CREATE INDEX callbacks_outcome ON callbacks(channel, outcome);
CREATE TABLE trades(
  channel INTEGER NOT NULL, trade_no TEXT NOT NULL, payment INTEGER NOT NULL, back INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY(channel, trade_no)) WITHOUT ROWID;
CREATE TABLE duplicates(
  channel INTEGER NOT NULL, trade_no TEXT NOT NULL, payment INTEGER NOT NULL,
  PRIMARY KEY(channel, trade_no, payment)) WITHOUT ROWID;
CREATE TABLE corrections(
  position INTEGER PRIMARY KEY, proposal BLOB NOT NULL UNIQUE, payment INTEGER NOT NULL, channel INTEGER NOT NULL,
  state TEXT NOT NULL, ask TEXT NOT NULL, proposed INTEGER NOT NULL, by TEXT, reason TEXT, decided INTEGER, seconded TEXT);
CREATE INDEX corrections_decided ON corrections(channel, decided);
CREATE INDEX corrections_since ON corrections(coalesce(decided, 9223372036854775807));
CREATE TABLE turnover(
  book TEXT NOT NULL, wallet TEXT NOT NULL, channel TEXT NOT NULL, currency TEXT NOT NULL, period TEXT NOT NULL,
  debit INTEGER NOT NULL, credit INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
  PRIMARY KEY(book, wallet, channel, currency, period)) WITHOUT ROWID;
CREATE TABLE findings(
  item BLOB PRIMARY KEY, day TEXT NOT NULL, stream TEXT NOT NULL, open INTEGER NOT NULL, first INTEGER NOT NULL,
  last INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX findings_day ON findings(day);
CREATE INDEX findings_open ON findings(day) WHERE open = 1;
CREATE TABLE compared(day TEXT NOT NULL, stream TEXT NOT NULL, PRIMARY KEY(day, stream)) WITHOUT ROWID;
CREATE TABLE payouts(
  position INTEGER PRIMARY KEY, channel INTEGER NOT NULL, payout_id TEXT NOT NULL, updated INTEGER NOT NULL,
  sent TEXT, arrived TEXT, failed TEXT, UNIQUE(channel, payout_id));
CREATE TABLE periods(
  position INTEGER PRIMARY KEY, proposal BLOB NOT NULL UNIQUE, period TEXT NOT NULL, state TEXT NOT NULL,
  ask TEXT NOT NULL, proposed INTEGER NOT NULL, decision TEXT, decided INTEGER);
CREATE TABLE arrivals(
  channel INTEGER NOT NULL, hour INTEGER NOT NULL, n INTEGER NOT NULL, last INTEGER NOT NULL,
  PRIMARY KEY(channel, hour)) WITHOUT ROWID;
CREATE TABLE acts(
  position INTEGER PRIMARY KEY, event BLOB NOT NULL, stream TEXT NOT NULL, type TEXT NOT NULL, what TEXT NOT NULL,
  person TEXT NOT NULL, recorded INTEGER NOT NULL, fact TEXT NOT NULL);
CREATE INDEX acts_person ON acts(person, position);
CREATE INDEX acts_erased ON acts(position) WHERE type = '` + domain.TypeEvidenceErased + `';
CREATE TABLE clock(last INTEGER PRIMARY KEY, steps BLOB NOT NULL);
`

// create makes an empty projections file that must not exist yet.
func create(file string) error {
	c, err := open(file, true)
	if err != nil {
		return err
	}
	// Small pages: rows of one page of the log lie scattered over accounts and
	// numbers, and every page they touch is written as a whole, twice.
	marks := fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d;", appID, schemaVersion)
	if err := c.script("PRAGMA page_size = 4096; PRAGMA journal_mode = WAL; BEGIN;" + schema + marks + "COMMIT;"); err != nil {
		c.close() //nolint:errcheck // the first error counts
		return fmt.Errorf("create the schema in %s: %w", file, err)
	}
	return c.close()
}

// version reads what shape a file has; 0 for a file that is not ours.
func version(c *conn) (int64, error) {
	var app, v int64
	ctx := context.Background()
	if _, err := c.one(ctx, "PRAGMA application_id", nil, func(r row) error { app = r.num(0); return nil }); err != nil {
		return 0, err
	}
	if _, err := c.one(ctx, "PRAGMA user_version", nil, func(r row) error { v = r.num(0); return nil }); err != nil {
		return 0, err
	}
	if app != appID {
		return 0, nil
	}
	return v, nil
}

// errOldSchema says that a file must be folded again from the log.
var errOldSchema = domain.E(domain.KindMismatch, "the projections file is of an older version")

// checkVersion refuses files of another shape.
func checkVersion(c *conn, file string) error {
	v, err := version(c)
	switch {
	case err != nil:
		return fmt.Errorf("read the version of %s: %w", file, err)
	case v == schemaVersion:
		return nil
	case v > schemaVersion:
		return domain.E(domain.KindMismatch,
			"%s was made by newer software (version %d, this one reads %d): upgrade, or delete it to fold it anew",
			file, v, schemaVersion)
	}
	return errOldSchema
}
