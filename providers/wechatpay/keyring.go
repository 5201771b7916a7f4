package wechatpay

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"counterfoil/domain"
)

// keyring holds WeChat's keys by their id. Readers never wait: a change makes a
// new map. The zero keyring is empty.
type keyring struct {
	writing sync.Mutex
	keys    atomic.Pointer[map[string]*platformKey]
}

// find is the key of exactly this id, or nil.
func (r *keyring) find(id string) *platformKey {
	if keys := r.keys.Load(); keys != nil {
		return (*keys)[id]
	}
	return nil
}

// add takes a key. Under an id that is known it changes nothing, and reports
// whether the key is the same: nobody replaces a key that people configured.
func (r *keyring) add(k *platformKey) bool {
	r.writing.Lock()
	defer r.writing.Unlock()
	if known := r.find(k.id); known != nil {
		return known.pub.Equal(k.pub)
	}
	next := map[string]*platformKey{k.id: k}
	if keys := r.keys.Load(); keys != nil {
		maps.Copy(next, *keys)
	}
	r.keys.Store(&next)
	return true
}

// all are the keys, sorted by id.
func (r *keyring) all() []*platformKey {
	keys := r.keys.Load()
	if keys == nil {
		return nil
	}
	return slices.SortedFunc(maps.Values(*keys), func(a, b *platformKey) int { return strings.Compare(a.id, b.id) })
}

// publicKeyID is the id of the newest configured public key, by which WeChat is
// asked to sign its answers; "" where there are only certificates.
func (r *keyring) publicKeyID() string {
	id := ""
	for _, k := range r.all() {
		if strings.HasPrefix(k.id, PublicKeyPrefix) && k.notAfter.IsZero() {
			id = k.id
		}
	}
	return id
}

// describe lists the keys as the channel's record has them.
func (k *v3Keys) describe(f *domain.ChannelConfigured, platform []*platformKey) {
	for _, p := range platform {
		f.PublicKeys = append(f.PublicKeys, domain.PublicKey{
			Fingerprint: p.mark, Use: usePlatform, DER: publicDER(p.pub), Obtained: p.howObtained(),
		})
	}
	pub := &k.merchant.PublicKey
	f.PublicKeys = append(f.PublicKeys, domain.PublicKey{
		Fingerprint: Fingerprint(pub), Use: "merchant", DER: publicDER(pub), Obtained: "config " + k.serial,
	})
	f.Secrets = append(f.Secrets, k.secrets...)
}
