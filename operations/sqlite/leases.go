package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"counterfoil/domain"
	"counterfoil/operations"
)

// Acquire renews a lease for its holder with the same token, gives a free or
// expired one with a greater token than any before, or returns KindConflict
// naming the holder and its time.
func (s *Store) Acquire(ctx context.Context, name, holder string, now time.Time, ttl time.Duration) (operations.Lease, error) {
	if err := checkNames("lease", name, holder); err != nil {
		return operations.Lease{}, err
	}
	if ttl <= 0 || now.IsZero() {
		return operations.Lease{}, domain.EField(domain.KindInvalid, "ttl", "%s from %s is no time", ttl, now)
	}
	want := operations.Lease{Name: name, Holder: holder, Until: domain.Instant(now.Add(ttl))}
	var got operations.Lease
	err := s.normal.do(ctx, func(t *tx) (err error) {
		got, err = acquire(t, want, now)
		return err
	})
	if err != nil {
		return operations.Lease{}, classify("acquire lease", err)
	}
	if got.Holder != holder {
		return operations.Lease{}, domain.E(domain.KindConflict, "lease %s is held by %s until %s",
			name, got.Holder, got.Until.Format(time.RFC3339))
	}
	return got, nil
}

// acquire is the lease as it is afterwards, which may be another's.
func acquire(t *tx, want operations.Lease, now time.Time) (operations.Lease, error) {
	var until int64
	have := operations.Lease{Name: want.Name}
	err := t.row(`SELECT holder, token, until FROM leases WHERE name = ?`, []any{want.Name}, &have.Holder, &have.Token, &until)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return have, err
	}
	have.Until = instant(until)
	if have.Holder != want.Holder {
		if have.Holder != "" && now.Before(have.Until) {
			return have, nil
		}
		have.Token++
	}
	want.Token = have.Token
	_, err = t.exec(`INSERT OR REPLACE INTO leases (name, holder, token, until) VALUES (?, ?, ?, ?)`,
		want.Name, want.Holder, want.Token, micros(want.Until))
	return want, err
}

// Release gives a lease back before its time. One that has passed on to
// another holder is left alone, which is no error. The token is remembered.
func (s *Store) Release(ctx context.Context, l operations.Lease) error {
	err := s.normal.do(ctx, func(t *tx) error {
		_, err := t.exec(`UPDATE leases SET holder = '', until = 0 WHERE name = ? AND holder = ? AND token = ?`,
			l.Name, l.Holder, l.Token)
		return err
	})
	return classify("release lease", err)
}
