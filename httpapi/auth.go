package httpapi

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"slices"
	"strings"
	"sync"
	"time"

	"counterfoil/domain"
	"counterfoil/operations"
)

// keyFresh is how long a key is believed before it is looked up again: a
// revoked key works at most so long.
const keyFresh = 10 * time.Second

// maxKeyring bounds the remembered keys; strangers' ids are never remembered.
const maxKeyring = 4096

// keyring checks API keys, remembering the ones that passed.
type keyring struct {
	keys  operations.APIKeys
	clock func() time.Time
	mu    sync.RWMutex
	known map[string]remembered
}

type remembered struct {
	key   operations.APIKey
	until time.Time
}

func newKeyring(keys operations.APIKeys, clock func() time.Time) *keyring {
	return &keyring{keys: keys, clock: clock, known: map[string]remembered{}}
}

// errKey is the one answer to every bad key: which part was wrong is nobody's
// business.
func errKey() error {
	return domain.EField(domain.KindForged, "Authorization", "this needs `Authorization: Bearer cf_…` with a valid API key")
}

// check finds the key a request carries and proves its secret.
func (k *keyring) check(ctx context.Context, header string) (operations.APIKey, error) {
	token, ok := strings.CutPrefix(header, "Bearer ")
	id, secret, ok2 := splitKey(token)
	if !ok || !ok2 {
		return operations.APIKey{}, errKey()
	}
	key, err := k.find(ctx, id)
	if err != nil {
		return operations.APIKey{}, err
	}
	sum := sha256.Sum256(secret)
	if subtle.ConstantTimeCompare(sum[:], key.SHA256[:]) != 1 || !key.RevokedAt.IsZero() {
		return operations.APIKey{}, errKey()
	}
	return key, nil
}

// splitKey takes cf_<id>_<64 hex digits> apart.
func splitKey(token string) (id string, secret []byte, ok bool) {
	rest, ok := strings.CutPrefix(token, "cf_")
	id, digits, ok2 := strings.Cut(rest, "_")
	if !ok || !ok2 || len(digits) != 64 || len(id) > 32 {
		return "", nil, false
	}
	secret, err := hex.DecodeString(digits)
	return id, secret, err == nil
}

func (k *keyring) find(ctx context.Context, id string) (operations.APIKey, error) {
	now := k.clock()
	k.mu.RLock()
	r, ok := k.known[id]
	k.mu.RUnlock()
	if ok && now.Before(r.until) {
		return r.key, nil
	}
	key, err := k.keys.APIKey(ctx, id)
	if err != nil {
		if domain.KindOf(err) == domain.KindNotFound {
			return key, errKey()
		}
		return key, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.known) >= maxKeyring {
		clear(k.known)
	}
	k.known[id] = remembered{key, now.Add(keyFresh)}
	return key, nil
}

// NewKey makes an API key's secret: the text to hand out once, and the hash to
// keep.
func NewKey(id string, secret [32]byte) (token string, hash [32]byte) {
	return "cf_" + id + "_" + hex.EncodeToString(secret[:]), sha256.Sum256(secret[:])
}

// allow checks that a key has a scope; admin has all of them.
func allow(key operations.APIKey, scope operations.Scope) error {
	if slices.Contains(key.Scopes, scope) || slices.Contains(key.Scopes, operations.ScopeAdmin) {
		return nil
	}
	return domain.E(domain.KindDenied, "this key lacks the scope %s", scope)
}

// allowChannel and allowAccount check a key's limits. An empty name stands for
// all of them, which a limited key may not have.
func allowChannel(key operations.APIKey, ch domain.ChannelID) error {
	if len(key.Channels) == 0 || slices.Contains(key.Channels, string(ch)) {
		return nil
	}
	return domain.EField(domain.KindDenied, "channel", "this key is for the channels %s", strings.Join(key.Channels, ", "))
}

func allowAccount(key operations.APIKey, a domain.AccountID) error {
	if len(key.Accounts) == 0 || slices.Contains(key.Accounts, string(a)) {
		return nil
	}
	return domain.EField(domain.KindDenied, "account", "this key is for other accounts")
}

// allowAll checks that a key has no limits: what it asks for holds everybody's.
func allowAll(key operations.APIKey) error {
	if len(key.Channels) == 0 && len(key.Accounts) == 0 {
		return nil
	}
	return domain.E(domain.KindDenied, "this key is limited to channels or accounts; this needs all of them")
}
