package wechatpay

import (
	"context"
	"encoding/pem"
	"net/http"
	"time"

	"counterfoil/domain"
	"counterfoil/internal/strictjson"
)

// refreshEvery is how often at most a callback with a serial that is unknown
// here makes us download the certificates: anybody can send such callbacks.
const refreshEvery = time.Minute

const certificatesTarget = "/v3/certificates"

// missKey starts a download for a certificate that is not known here. Its
// callback is refused meanwhile, so that it comes again 15 seconds later. A
// public key cannot be downloaded.
func (c *Channel) missKey(serial string) {
	if !isHex(serial) {
		return
	}
	now, last := c.clock(), c.refreshed.Load()
	if last != 0 && now.Sub(time.Unix(0, last)) < refreshEvery {
		return
	}
	if !c.refreshed.CompareAndSwap(last, now.UnixNano()) {
		return
	}
	c.refreshing.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), askTimeout)
		defer cancel()
		_ = c.Refresh(ctx) // the next callback asks again
	})
}

// Refresh downloads WeChat's platform certificates (certificate download page of
// v3) and adds those that are new; nothing is ever taken away, since old
// evidence needs old keys. KindUnavailable when no answer could be trusted. v2
// has none, and a merchant whom WeChat has given a public key has none either.
//
// The first download has no key to verify its answer with. Like the official
// SDK's, it rests on the certificates being sealed with the APIv3 key, which
// WeChat alone has beside us; the answer's own signature must then hold under
// one of them or under a key that was known before.
func (c *Channel) Refresh(ctx context.Context) error {
	if c.v3 == nil {
		return nil
	}
	r, err := c.askV3(ctx, http.MethodGet, certificatesTarget, "")
	if err != nil {
		return err
	}
	if r.status == http.StatusNotFound && c.v3.platform.publicKeyID() != "" {
		return nil
	}
	if r.status != http.StatusOK {
		return c.failure(r)
	}
	found, err := c.readCertificates(r)
	if err != nil {
		return c.unusable("answered with certificates that cannot be taken: %w", err)
	}
	return c.learn(ctx, found)
}

// readCertificates opens the certificates of an answer and verifies it.
func (c *Channel) readCertificates(r response) ([]*platformKey, error) {
	m, err := jsonLimits.Object(r.body)
	if err != nil {
		return nil, err
	}
	data, err := m.Value("data").Array()
	if err != nil || len(data) == 0 {
		return nil, domain.E(domain.KindInvalid, "the answer has no data")
	}
	var known keyring
	for _, k := range c.v3.platform.all() {
		known.add(k)
	}
	var found []*platformKey
	for _, value := range data {
		key, err := c.openCertificate(value)
		if err != nil {
			return nil, err
		}
		known.add(key)
		found = append(found, key)
	}
	trial := v3Keys{}
	trial.platform.keys.Store(known.keys.Load())
	now := c.clock()
	if _, _, err := trial.proven(r.header, r.body, now); err != nil {
		return nil, err
	}
	return found, fresh(r.header, now)
}

func (c *Channel) openCertificate(value strictjson.Value) (*platformKey, error) {
	m, err := value.Object()
	if err != nil {
		return nil, domain.E(domain.KindInvalid, "an element of data is no object")
	}
	sealed, err := m.Value("encrypt_certificate").Object()
	if err != nil {
		return nil, domain.E(domain.KindInvalid, "an element of data has no encrypt_certificate")
	}
	nonce, _ := sealed.String("nonce")
	associated, _ := sealed.String("associated_data")
	ciphertext, _ := sealed.String("ciphertext")
	plain, err := c.v3.open(nonce, associated, ciphertext)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(plain)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, domain.E(domain.KindInvalid, "what was sealed is no certificate")
	}
	serial, _ := m.String("serial_no")
	key, err := parseCertificate(block.Bytes, serial)
	if err != nil {
		return nil, err
	}
	key.obtained = fromDownload
	return key, nil
}
