package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"counterfoil/domain"
	"counterfoil/operations"
)

// How long a claim and an answer stand.
const (
	claimLapses = 10 * time.Second
	keepAnswers = 7 * day
)

// Bounds of what callers name and keep.
const (
	maxName   = 256     // bytes of owners, keys, names and holders
	maxAnswer = 1 << 20 // bytes of a kept answer
)

// Begin claims key for a request. It is fresh when nobody did so before, when
// the first request has not finished within ten seconds, or when its answer is
// older than seven days; otherwise saved is what is kept, with Status 0 while
// the first request is under way. Comparing the hash is the caller's.
func (s *Store) Begin(ctx context.Context, owner, key string, hash [32]byte, now time.Time) (saved operations.Saved, fresh bool, err error) {
	if err := checkNames("key", owner, key); err != nil {
		return saved, false, err
	}
	err = s.normal.do(ctx, func(t *tx) (err error) {
		saved, fresh, err = begin(t, owner, key, hash, now)
		return err
	})
	if err != nil {
		return operations.Saved{}, false, classify("claim idempotency key", err)
	}
	return saved, fresh, nil
}

func begin(t *tx, owner, key string, hash [32]byte, now time.Time) (saved operations.Saved, fresh bool, err error) {
	var kept, body []byte
	var at int64
	err = t.row(`SELECT hash, claimed_at, status, body FROM idempotency WHERE owner = ? AND key = ?`,
		[]any{owner, key}, &kept, &at, &saved.Status, &body)
	switch {
	case errors.Is(err, sql.ErrNoRows):
	case err != nil:
		return saved, false, err
	case stands(saved.Status, now.Sub(instant(at))):
		copy(saved.RequestHash[:], kept)
		saved.Body = body
		return saved, false, nil
	}
	// The old row goes first: rows stay in order of their claims, which is the
	// order they are pruned in.
	if _, err := t.exec(`DELETE FROM idempotency WHERE owner = ? AND key = ?`, owner, key); err != nil {
		return saved, false, err
	}
	_, err = t.exec(`INSERT INTO idempotency (owner, key, hash, claimed_at, status, body) VALUES (?, ?, ?, ?, 0, x'')`,
		owner, key, hash[:], micros(now))
	return operations.Saved{}, true, err
}

// stands says whether a claim or answer of that age still counts.
func stands(status int, age time.Duration) bool {
	if status == 0 {
		return age < claimLapses
	}
	return age < keepAnswers
}

// Finish keeps the answer to a claimed request. The first answer stays; an
// answer without a claim is KindNotFound.
func (s *Store) Finish(ctx context.Context, owner, key string, status int, body []byte) error {
	if status < 100 || status > 599 {
		return domain.EField(domain.KindInvalid, "status", "%d is no HTTP status", status)
	}
	if len(body) > maxAnswer {
		return domain.EField(domain.KindTooLarge, "body", "of %d bytes is larger than %d", len(body), maxAnswer)
	}
	if body == nil {
		body = []byte{} // the column has no NULL
	}
	var found int64
	err := s.normal.do(ctx, func(t *tx) (err error) {
		found, err = t.exec(`
UPDATE idempotency SET body = iif(status = 0, ?, body), status = iif(status = 0, ?, status)
WHERE owner = ? AND key = ?`, body, status, owner, key)
		return err
	})
	if err != nil {
		return classify("keep answer", err)
	}
	if found == 0 {
		return domain.E(domain.KindNotFound, "idempotency key %.64q is not claimed", key)
	}
	return nil
}

// Forget drops a claim or answer, so that the request may be made again.
func (s *Store) Forget(ctx context.Context, owner, key string) error {
	err := s.normal.do(ctx, func(t *tx) error {
		_, err := t.exec(`DELETE FROM idempotency WHERE owner = ? AND key = ?`, owner, key)
		return err
	})
	return classify("forget idempotency key", err)
}

// checkNames refuses empty and endless names.
func checkNames(field string, names ...string) error {
	for _, name := range names {
		if name == "" || len(name) > maxName {
			return domain.EField(domain.KindInvalid, field, "must have 1 to %d bytes, not %d", maxName, len(name))
		}
	}
	return nil
}
