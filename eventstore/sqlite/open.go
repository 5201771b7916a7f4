package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/internal/still"
)

// oldest is the first SQLite without the defect that could lose a page when
// one of two processes starts the log over (3.7.0 to 3.51.2).
var oldest = [3]int{3, 51, 3}

// locate is the absolute path of a store file that is there, on a disk that it
// may be on, for a library that is new enough.
func locate(path string) (string, error) {
	if err := checkVersion(libraryVersion()); err != nil {
		return "", err
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", domain.E(domain.KindInvalid, "path %q: %w", path, err)
	}
	info, err := os.Stat(abs)
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && info.Size() == 0:
		return "", domain.E(domain.KindNotFound, "no event store at %s: make one with `counterfoil init`", abs)
	case err != nil:
		return "", domain.E(domain.KindUnavailable, "event store %s: %w", abs, err)
	case !info.Mode().IsRegular():
		return "", domain.E(domain.KindMismatch, "%s is not a file", abs)
	}
	return abs, checkDisk(abs)
}

func checkVersion(version string) error {
	parts := strings.SplitN(version, ".", len(oldest))
	for i, want := range oldest {
		got := -1
		if i < len(parts) {
			if n, err := strconv.Atoi(parts[i]); err == nil {
				got = n
			}
		}
		if got > want {
			return nil
		}
		if got < want {
			return domain.E(domain.KindMismatch,
				"SQLite %s is too old: before %d.%d.%d two processes can damage a file", version, oldest[0], oldest[1], oldest[2])
		}
	}
	return nil
}

// dialWriter opens the committer's connection and checks that the file is ours
// and durable.
func dialWriter(path string, o Options) (*conn, error) {
	c, err := dial(path, openReadWrite, "busy_timeout=5000")
	if err != nil {
		return nil, openError(path, err)
	}
	if err = identify(c, path); err == nil {
		err = setUp(c, path, o)
	}
	if err == nil {
		err = checkSchema(c, path)
	}
	if err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

// identify comes before anything that could write to a foreign file.
func identify(c *conn, path string) error {
	id, err := c.number("PRAGMA application_id")
	if err != nil {
		return openError(path, err)
	}
	if id != applicationID {
		return domain.E(domain.KindMismatch, "%s is not a Counterfoil event store: application id %#x, not %#x", path, id, applicationID)
	}
	version, err := c.number("PRAGMA user_version")
	if err != nil {
		return openError(path, err)
	}
	if version&^retiredFlag != schemaVersion {
		return domain.E(domain.KindMismatch, "%s has shape %d, this program knows shape %d: use the program that wrote it", path, version, schemaVersion)
	}
	return nil
}

// setUp makes the connection durable and sees that it really is: a pragma that
// SQLite does not take is silent.
func setUp(c *conn, path string, o Options) error {
	for _, p := range []struct{ name, set, want string }{
		{"journal_mode", "WAL", "wal"},
		{"synchronous", "FULL", "2"},
		{"mmap_size", "0", ""},
		{"wal_autocheckpoint", "0", "0"},
		{"cache_size", strconv.Itoa(-o.Cache / 1024), strconv.Itoa(-o.Cache / 1024)},
		{"trusted_schema", "OFF", "0"},
		{"cell_size_check", "ON", "1"},
	} {
		if err := c.exec("PRAGMA " + p.name + "=" + p.set); err != nil {
			return openError(path, err)
		}
		got, err := c.word("PRAGMA " + p.name)
		if err != nil {
			return openError(path, err)
		}
		if p.want != "" && got != p.want {
			return domain.E(domain.KindMismatch, "%s: PRAGMA %s is %q where %q is needed", path, p.name, got, p.want)
		}
	}
	return c.exec("PRAGMA " + journalLimit(o.LogPages))
}

// journalLimit cuts a log that had grown over its usual length, and no other:
// writing over a file is faster than making it longer.
func journalLimit(pages int) string {
	return fmt.Sprintf("journal_size_limit=%d", int64(pages)*pageSize*5/4)
}

// dialReader opens a connection that cannot write.
func (s *Store) dialReader() (*conn, error) {
	name, flags := s.path, int32(openReadWrite)
	if s.still {
		name, flags = still.URI(s.path), openStill
	}
	c, err := dial(name, flags, "busy_timeout=2000", "query_only=ON", "mmap_size=0", "trusted_schema=OFF", "cache_size=-8192")
	if err != nil {
		return nil, openError(s.path, err)
	}
	return c, nil
}

// openError gives an error of SQLite at opening its kind.
func openError(path string, err error) error {
	var sql *sqlError
	if !errors.As(err, &sql) {
		return domain.E(domain.KindUnavailable, "open %s: %w", path, err)
	}
	code := sql.primary()
	if code == codeCantOpen && still.Unwritable(path) {
		code = codeReadOnly // the same, said by a file system that is read-only
	}
	switch code {
	case codeNotADB:
		return domain.E(domain.KindMismatch, "%s is not a Counterfoil event store: %w", path, err)
	case codeCorrupt:
		return domain.E(domain.KindCorrupt, "%s is damaged: %w", path, err)
	case codeBusy:
		return domain.E(domain.KindUnavailable, "another process keeps %s locked: %w", path, err)
	case codeReadOnly: // reading, too, keeps the index of the write-ahead log beside the file
		return domain.E(domain.KindDenied, "%s, its folder or the files beside it may not be written by this account: "+
			"use one that may, or copy the whole folder to where it may and go on there: %w", path, err)
	}
	return domain.E(domain.KindUnavailable, "open %s: %w", path, err)
}

// checkSchema compares each object of the file with what this program made:
// above all, the triggers are there.
func checkSchema(c *conn, path string) error {
	found := make(map[string]string)
	want := schema
	to, err := movedTo(c)
	if err != nil {
		return openError(path, err)
	}
	if to != "" {
		want = slices.Concat(schema, retirement)
	}
	err = c.query("SELECT type || ' ' || name, sql FROM sqlite_schema WHERE sql IS NOT NULL", func(s *stmt) {
		found[string(s.bytes(0))] = string(s.bytes(1))
	})
	if err != nil {
		return openError(path, err)
	}
	for _, o := range want {
		if found[o.kind+" "+o.name] != o.sql {
			return domain.E(domain.KindCorrupt, "%s: the %s %s is missing or changed", path, o.kind, o.name)
		}
	}
	if len(found) != len(want) {
		return domain.E(domain.KindCorrupt, "%s has %d tables, indexes and triggers, %d are known", path, len(found), len(want))
	}
	return nil
}

// tail is how many events at the end are checked at opening: what a crash may
// have touched, in a few milliseconds. `counterfoil verify` checks all.
const tail = 1000

// checkTail reads the end of the log with its sealed parts, each against its
// hash, and each stream there back to the first event of the tail's.
func (s *Store) checkTail(ctx context.Context) (eventstore.Position, error) {
	r, err := s.borrow(ctx)
	if err != nil {
		return 0, err
	}
	defer s.giveBack(r)
	last, err := r.head()
	if err != nil {
		return 0, err
	}
	after := last - min(tail, last)
	next := make(map[domain.Stream]uint64)
	for {
		b, err := r.readPage(after, eventstore.FollowOptions{Batch: defaultBatch, Sealed: true}, defaultBatch)
		if err != nil {
			return 0, fmt.Errorf("check the end of %s: %w", s.path, err)
		}
		for _, e := range b.Events {
			if err := r.checkPlace(e, next); err != nil {
				return 0, fmt.Errorf("check the end of %s: %w", s.path, err)
			}
		}
		after = b.Position
		if b.CaughtUp {
			return after, nil
		}
	}
}

// checkPlace sees that an event follows its stream's last one. next has the
// revision due, for streams met before.
func (r *reader) checkPlace(e eventstore.Recorded, next map[domain.Stream]uint64) error {
	want, met := next[e.Stream]
	if !met && e.Revision > 0 {
		before, err := r.readStream(context.Background(), e.Stream, eventstore.ReadOptions{From: e.Revision - 1, Limit: 1})
		if err != nil {
			return err
		}
		if len(before) == 1 && before[0].Position < e.Position {
			want = e.Revision
		}
	}
	if e.Revision != want {
		return damaged(e, "it does not follow the event before it in its stream")
	}
	next[e.Stream] = want + 1
	return nil
}
