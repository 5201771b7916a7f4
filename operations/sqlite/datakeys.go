package sqlite

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"errors"
	"slices"
	"strings"

	"counterfoil/domain"
	"counterfoil/operations"
)

// EnsureDataKey is the key of a stream, made when there is none and synced to
// the disk before it is returned. Calls that come together share a commit.
// KindUnavailable means that no key was given out; ask again.
func (s *Store) EnsureDataKey(ctx context.Context, stream domain.Stream) (operations.DataKey, error) {
	key, err := s.DataKey(ctx, stream)
	if err == nil || domain.KindOf(err) != domain.KindNotFound {
		return key, err
	}
	id := keyID(stream)
	var fresh operations.DataKey
	rand.Read(fresh[:]) // never fails: crypto/rand ends the program instead
	err = s.durable.do(ctx, func(t *tx) error {
		n, err := t.exec(`INSERT INTO data_keys (id, key) VALUES (?, ?) ON CONFLICT DO NOTHING`, id[:], fresh[:])
		if err != nil || n == 1 {
			key = fresh
			return err
		}
		var kept []byte
		if err := t.row(`SELECT key FROM data_keys WHERE id = ?`, []any{id[:]}, &kept); err != nil {
			return err
		}
		key, err = dataKey(stream, kept)
		return err
	})
	if err != nil {
		return operations.DataKey{}, classify("make data key", err)
	}
	return key, nil
}

// DataKey is the key of a stream, or KindNotFound. It is one read of one row;
// a row that can be read is on the disk, because FULL commits are synced before
// they are seen.
func (s *Store) DataKey(ctx context.Context, stream domain.Stream) (operations.DataKey, error) {
	if stream == "" {
		return operations.DataKey{}, domain.E(domain.KindInvalid, "data key of no stream")
	}
	if err := ctx.Err(); err != nil {
		return operations.DataKey{}, classify("read data key", err)
	}
	id := keyID(stream)
	var kept sql.RawBytes
	key, err := s.scanKey(id[:], stream, &kept)
	if errors.Is(err, sql.ErrNoRows) {
		return operations.DataKey{}, domain.E(domain.KindNotFound, "no data key for stream %q", string(stream))
	}
	return key, classify("read data key", err)
}

// scanKey runs without the caller's context, for which the driver would start
// a goroutine that costs more than the read.
func (s *Store) scanKey(id []byte, stream domain.Stream, kept *sql.RawBytes) (operations.DataKey, error) {
	rows, err := s.getKey.QueryContext(background(), id)
	if err != nil {
		return operations.DataKey{}, err
	}
	defer rows.Close()
	if !rows.Next() {
		return operations.DataKey{}, errors.Join(sql.ErrNoRows, rows.Err())
	}
	if err := rows.Scan(kept); err != nil {
		return operations.DataKey{}, err
	}
	return dataKey(stream, *kept)
}

// manyKeys is how many keys one query asks for.
const manyKeys = 256

// DataKeys are the keys that there are of many streams, read together: who
// opens a whole log would else spend more time on asking than on opening.
func (s *Store) DataKeys(ctx context.Context, streams []domain.Stream) (map[domain.Stream]operations.DataKey, error) {
	out := make(map[domain.Stream]operations.DataKey, len(streams))
	for some := range slices.Chunk(streams, manyKeys) {
		if err := s.someKeys(ctx, some, out); err != nil {
			return nil, classify("read data keys", err)
		}
	}
	return out, nil
}

func (s *Store) someKeys(ctx context.Context, streams []domain.Stream, out map[domain.Stream]operations.DataKey) error {
	of, ids := make(map[[16]byte]domain.Stream, len(streams)), make([]any, len(streams))
	for i, stream := range streams {
		id := keyID(stream)
		of[id], ids[i] = stream, id[:]
	}
	marks := strings.Repeat(",?", len(ids))[1:]
	rows, err := s.read.QueryContext(ctx, `SELECT id, key FROM data_keys WHERE id IN (`+marks+`)`, ids...) //nolint:gosec // G202: marks only
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id, kept sql.RawBytes
		if err := rows.Scan(&id, &kept); err != nil {
			return err
		}
		stream := of[[16]byte(id)]
		if out[stream], err = dataKey(stream, kept); err != nil {
			return err
		}
	}
	return rows.Err()
}

// dataKey checks what was stored.
func dataKey(stream domain.Stream, kept []byte) (operations.DataKey, error) {
	if len(kept) != len(operations.DataKey{}) {
		return operations.DataKey{}, domain.E(domain.KindCorrupt, "data key of stream %q has %d bytes", string(stream), len(kept))
	}
	return operations.DataKey(kept), nil
}

// keyID is what a stream's key is found by: short, so that millions of them
// with random names stay small, and long enough that no two streams share one.
func keyID(stream domain.Stream) [16]byte {
	sum := sha256.Sum256([]byte(stream))
	return [16]byte(sum[:16])
}

// DestroyDataKey overwrites a stream's key with zeros and removes its row, synced
// before it returns, and empties the journal, which held both the key and the
// pages it stood in. KindUnavailable where somebody reads the journal for too
// long: it may hold the key still, and the call is to be made again.
func (s *Store) DestroyDataKey(ctx context.Context, stream domain.Stream) error {
	id := keyID(stream)
	var zeros operations.DataKey
	err := s.durable.do(ctx, func(t *tx) error {
		if n, err := t.exec(`UPDATE data_keys SET key = ? WHERE id = ?`, zeros[:], id[:]); err != nil || n == 0 {
			return err
		}
		_, err := t.exec(`DELETE FROM data_keys WHERE id = ?`, id[:])
		return err
	})
	if err == nil {
		err = s.emptyJournal(ctx)
	}
	return classify("destroy data key", err)
}
