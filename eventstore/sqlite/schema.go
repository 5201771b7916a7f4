package sqlite

// applicationID marks our files, "Cntf"; schemaVersion counts their shapes.
// A program refuses files of a shape newer than its own.
const (
	applicationID = 0x436e7466
	schemaVersion = 1
)

// object is a part of the schema. Its text in the file must be this text.
type object struct{ kind, name, sql string }

// schema is everything in a store file. sealed_hash is NULL where there is no
// sealed part. Ids have no index: they are random or a hash, and an index over
// them would touch a cold page at every append; uniqueness comes from
// (stream, revision). The probe table is what a store that could not write
// tries to write to.
var schema = []object{
	{"table", "events", `CREATE TABLE events (
  position INTEGER PRIMARY KEY,
  stream TEXT NOT NULL,
  revision INTEGER NOT NULL,
  id BLOB NOT NULL,
  type TEXT NOT NULL,
  data BLOB NOT NULL,
  meta BLOB NOT NULL,
  sealed_hash BLOB,
  leaf BLOB NOT NULL
)`},
	{"index", "events_stream", `CREATE UNIQUE INDEX events_stream ON events (stream, revision)`},
	{"table", "evidence", `CREATE TABLE evidence (
  position INTEGER PRIMARY KEY,
  sealed BLOB NOT NULL
)`},
	{"table", "probe", `CREATE TABLE probe (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  tries INTEGER NOT NULL
)`},
	{"trigger", "events_update", `CREATE TRIGGER events_update BEFORE UPDATE ON events
BEGIN SELECT RAISE(ABORT, 'events are never changed'); END`},
	{"trigger", "events_delete", `CREATE TRIGGER events_delete BEFORE DELETE ON events
BEGIN SELECT RAISE(ABORT, 'events are never deleted'); END`},
	{"trigger", "evidence_update", `CREATE TRIGGER evidence_update BEFORE UPDATE ON evidence
BEGIN SELECT RAISE(ABORT, 'evidence is never changed'); END`},
	{"trigger", "evidence_delete", `CREATE TRIGGER evidence_delete BEFORE DELETE ON evidence
BEGIN SELECT RAISE(ABORT, 'evidence is never deleted'); END`},
}

// The statements of the committer. A position is given by the statement's
// caller, so that an event and its evidence share it.
const (
	sqlBegin    = `BEGIN IMMEDIATE`
	sqlCommit   = `COMMIT`
	sqlRollback = `ROLLBACK`

	sqlHead = `SELECT max(position) FROM events`

	sqlRevision = `SELECT max(revision) FROM events WHERE stream = ?1`

	sqlBehind = `SELECT id, revision, position FROM events
WHERE stream = ?1 AND revision > ?2 ORDER BY revision LIMIT ?3`

	sqlInsert = `INSERT INTO events (position, stream, revision, id, type, data, meta, sealed_hash, leaf)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)`

	sqlSeal = `INSERT INTO evidence (position, sealed) VALUES (?1, ?2)`

	sqlProbe = `INSERT INTO probe (id, tries) VALUES (1, 1) ON CONFLICT (id) DO UPDATE SET tries = tries + 1`
)

// The statements of the readers. The columns of an event come in the order of
// scan.
const (
	columns       = `e.position, e.revision, e.id, e.type, e.data, e.meta, e.sealed_hash, e.leaf`
	sqlStream     = `SELECT ` + columns + ` FROM events e WHERE e.stream = ?1 AND e.revision >= ?2 ORDER BY e.revision LIMIT ?3`
	sqlPage       = `SELECT ` + columns + `, e.stream FROM events e WHERE e.position > ?1 ORDER BY e.position LIMIT ?2`
	sqlSealedPart = `SELECT sealed FROM evidence WHERE position = ?1`
	sqlExists     = `SELECT 1 FROM events WHERE stream = ?1 LIMIT 1`
)
