package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"counterfoil/domain"
	"counterfoil/operations"
)

// PutAPIKey inserts or replaces a key by its id, synced before it returns. A
// key that was revoked stays revoked.
func (s *Store) PutAPIKey(ctx context.Context, k operations.APIKey) error {
	if k.ID == "" || len(k.ID) > maxName {
		return domain.EField(domain.KindInvalid, "id", "of an API key must have 1 to %d bytes", maxName)
	}
	lists, err := jsonLists(k.Scopes, k.Channels, k.Accounts)
	if err != nil {
		return err
	}
	err = s.durable.do(ctx, func(t *tx) error {
		_, err := t.exec(`
INSERT INTO api_keys (id, sha256, person, service, scopes, channels, accounts, created_at, revoked_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET sha256 = excluded.sha256, person = excluded.person, service = excluded.service,
  scopes = excluded.scopes, channels = excluded.channels, accounts = excluded.accounts,
  created_at = excluded.created_at, revoked_at = iif(revoked_at = 0, excluded.revoked_at, revoked_at)`,
			k.ID, k.SHA256[:], k.Person, k.Service, lists[0], lists[1], lists[2], micros(k.CreatedAt), micros(k.RevokedAt))
		return err
	})
	return classify("put API key", err)
}

const apiKeyQuery = `
SELECT id, sha256, person, service, scopes, channels, accounts, created_at, revoked_at FROM api_keys`

// APIKey is a key by its id, also a revoked one, or KindNotFound.
func (s *Store) APIKey(ctx context.Context, id string) (operations.APIKey, error) {
	keys, err := collect(ctx, s.read, scanAPIKey, apiKeyQuery+` WHERE id = ?`, id)
	if err != nil {
		return operations.APIKey{}, classify("read API key", err)
	}
	if len(keys) == 0 {
		return operations.APIKey{}, noAPIKey(id)
	}
	return keys[0], nil
}

func noAPIKey(id string) error {
	return domain.E(domain.KindNotFound, "there is no API key %.64q", id)
}

// APIKeys is all keys, oldest first.
func (s *Store) APIKeys(ctx context.Context) ([]operations.APIKey, error) {
	keys, err := collect(ctx, s.read, scanAPIKey, apiKeyQuery+` ORDER BY created_at, id`)
	return keys, classify("list API keys", err)
}

// RevokeAPIKey ends a key's validity, synced before it returns. The first time
// of revocation stays; an unknown id is KindNotFound.
func (s *Store) RevokeAPIKey(ctx context.Context, id string, at time.Time) error {
	if at.IsZero() {
		return domain.EField(domain.KindInvalid, "at", "is missing")
	}
	var found int64
	err := s.durable.do(ctx, func(t *tx) (err error) {
		found, err = t.exec(`UPDATE api_keys SET revoked_at = iif(revoked_at = 0, ?, revoked_at) WHERE id = ?`, micros(at), id)
		return err
	})
	if err != nil {
		return classify("revoke API key", err)
	}
	if found == 0 {
		return noAPIKey(id)
	}
	return nil
}

func scanAPIKey(rows *sql.Rows) (operations.APIKey, error) {
	var k operations.APIKey
	var sum, scopes, channels, accounts []byte
	var created, revoked int64
	if err := rows.Scan(&k.ID, &sum, &k.Person, &k.Service, &scopes, &channels, &accounts, &created, &revoked); err != nil {
		return k, err
	}
	if copy(k.SHA256[:], sum) != len(k.SHA256) {
		return k, domain.E(domain.KindCorrupt, "API key %q has a short hash", k.ID)
	}
	k.CreatedAt, k.RevokedAt = instant(created), instant(revoked)
	lists := []struct {
		text []byte
		into any
	}{{scopes, &k.Scopes}, {channels, &k.Channels}, {accounts, &k.Accounts}}
	for _, l := range lists {
		if err := json.Unmarshal(l.text, l.into); err != nil {
			return k, domain.E(domain.KindCorrupt, "API key %q: %w", k.ID, err)
		}
	}
	return k, nil
}

func jsonLists(lists ...any) ([]string, error) {
	texts := make([]string, len(lists))
	for i, l := range lists {
		text, err := json.Marshal(l)
		if err != nil {
			return nil, fmt.Errorf("write API key: %w", err)
		}
		texts[i] = string(text)
	}
	return texts, nil
}
