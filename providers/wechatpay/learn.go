package wechatpay

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"strings"
	"time"

	"counterfoil/domain"
)

const (
	usePlatform   = "platform"
	fromConfig    = "config"
	fromDownload  = "download"
	intervalSplit = "/"
)

// recorder records settings; see OnLearned.
type recorder func(context.Context, domain.ChannelConfigured) error

// OnLearned sets what records the channel's settings before a certificate that
// was downloaded is used.
func (c *Channel) OnLearned(record func(context.Context, domain.ChannelConfigured) error) {
	r := recorder(record)
	c.record.Store(&r)
}

// learn puts certificates to use once they are recorded.
func (c *Channel) learn(ctx context.Context, found []*platformKey) error {
	var next keyring
	for _, key := range append(c.v3.platform.all(), found...) {
		if !next.add(key) {
			return c.unusable("answered with another certificate %s than the known one", key.id)
		}
	}
	if len(next.all()) == len(c.v3.platform.all()) {
		return nil
	}
	if record := c.record.Load(); record != nil {
		if err := (*record)(ctx, c.configWith(next.all())); err != nil {
			return domain.E(domain.KindUnavailable, "new certificates of WeChat Pay are not used, because they could not be recorded: %w", err)
		}
	}
	for _, key := range found {
		c.v3.platform.add(key)
	}
	return nil
}

// Recall takes the certificates that were downloaded before these settings were
// recorded. What cannot be read is left out: evidence by such a key then cannot
// be verified here.
func (c *Channel) Recall(keys []domain.PublicKey) {
	if c.v3 == nil {
		return
	}
	for _, k := range keys {
		if key := recalled(k); key != nil {
			c.v3.platform.add(key)
		}
	}
}

// howObtained is how the channel's record says where a key is from: by
// configuration or download, its id, and for a downloaded one the time for
// which it holds.
func (k *platformKey) howObtained() string {
	text := k.obtained + " " + k.id
	if k.obtained == fromDownload {
		text += " " + k.notBefore.UTC().Format(time.RFC3339) + intervalSplit + k.notAfter.UTC().Format(time.RFC3339)
	}
	return text
}

// recalled reads what howObtained wrote of a downloaded key, nil for all else.
func recalled(k domain.PublicKey) *platformKey {
	words := strings.Fields(k.Obtained)
	if k.Use != usePlatform || len(words) != 3 || words[0] != fromDownload {
		return nil
	}
	parsed, err := x509.ParsePKIXPublicKey(k.DER)
	pub, ok := parsed.(*rsa.PublicKey)
	if err != nil || !ok {
		return nil
	}
	key, err := newPlatformKey(words[1], pub)
	if err != nil {
		return nil
	}
	from, to, _ := strings.Cut(words[2], intervalSplit)
	begin, beginErr := time.Parse(time.RFC3339, from)
	end, endErr := time.Parse(time.RFC3339, to)
	if beginErr != nil || endErr != nil {
		return nil
	}
	key.notBefore, key.notAfter, key.obtained = begin, end, fromDownload
	return key
}
