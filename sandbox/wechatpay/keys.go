package wechatpay

import (
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"math/big"
	"strings"
	"time"

	"counterfoil/domain"
	"counterfoil/providers/wechatpay"
	"counterfoil/sandbox/stage"
)

// digestHex makes names that are the same in every run.
func digestHex(names ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(names, "\x00")))
	return hex.EncodeToString(sum[:])
}

// platformKey is a key that WeChat signs with.
type platformKey struct {
	id   string // the serial of its certificate, or PUB_KEY_ID_…
	key  *rsa.PrivateKey
	pem  string // the certificate, or the public key
	cert *x509.Certificate
}

// merchantKeys are the keys between one merchant and WeChat. Face.mu guards
// what WeChat signs with.
type merchantKeys struct {
	aead     cipher.AEAD
	merchant *rsa.PrivateKey
	serial   string // of the merchant's certificate
	platform []*platformKey
}

func newMerchantKeys(s *stage.Stage, m Merchant) (k merchantKeys, err error) {
	if k.aead, err = wechatpay.NewAEAD(m.APIv3Key); err != nil {
		return k, domain.EField(domain.KindInvalid, "api_v3_key", "%w", err)
	}
	k.serial = strings.ToUpper(digestHex(m.MchID, "merchant certificate")[:40])
	if m.Protocol == wechatpay.V2 {
		return k, nil // no RSA in v2
	}
	if k.merchant, err = keyOr(m.MerchantKey); err != nil {
		return k, domain.EField(domain.KindInvalid, "merchant_key", "%w", err)
	}
	key, err := keyOr(m.PlatformKey)
	if err != nil {
		return k, domain.EField(domain.KindInvalid, "platform_key", "%w", err)
	}
	first := newPublicKey(m.MchID, key)
	if !m.PublicKey {
		if first, err = newCertificate(m.MchID, key, 0, s.Now()); err != nil {
			return k, err
		}
	}
	k.platform = []*platformKey{first}
	return k, nil
}

// keyOr reads a key, or makes one where there is none.
func keyOr(text string) (*rsa.PrivateKey, error) {
	if text == "" {
		return rsa.GenerateKey(rand.Reader, 2048)
	}
	return wechatpay.ParsePrivateKey(text)
}

func newPublicKey(mchID string, key *rsa.PrivateKey) *platformKey {
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		panic("wechatpay: an RSA key has no encoding: " + err.Error())
	}
	return &platformKey{
		id: wechatpay.PublicKeyPrefix + "01" + mchID + digestHex(mchID, "public key")[:20], key: key,
		pem: string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})),
	}
}

// newCertificate makes the n-th certificate of a merchant's platform key, which
// holds five years.
func newCertificate(mchID string, key *rsa.PrivateKey, n int, now time.Time) (*platformKey, error) {
	raw, err := hex.DecodeString(digestHex(mchID, "platform certificate", big.NewInt(int64(n)).String())[:38])
	if err != nil {
		return nil, domain.E(domain.KindInternal, "make a serial: %w", err)
	}
	serial := new(big.Int).SetBytes(append([]byte{0x5f}, raw...)) // 20 bytes, as WeChat's are
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{Organization: []string{"Tenpay.com"}, CommonName: "sandbox platform " + mchID},
		NotBefore:    now.Add(-24 * time.Hour), NotAfter: now.AddDate(5, 0, 0), KeyUsage: x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, domain.E(domain.KindInternal, "make a certificate: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, domain.E(domain.KindInternal, "read a certificate: %w", err)
	}
	return &platformKey{
		id: wechatpay.Serial(cert), key: key, cert: cert,
		pem: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
	}, nil
}

// current is what WeChat signs with now.
func (k *merchantKeys) current() *platformKey { return k.platform[len(k.platform)-1] }

// find is the key of an id, or nil.
func (k *merchantKeys) find(id string) *platformKey {
	for _, p := range k.platform {
		if p.id == id {
			return p
		}
	}
	return nil
}

// certificates are those that can be downloaded: the two newest.
func (k *merchantKeys) certificates() []*platformKey {
	var all []*platformKey
	for _, p := range k.platform {
		if p.cert != nil {
			all = append(all, p)
		}
	}
	if len(all) > 2 {
		all = all[len(all)-2:]
	}
	return all
}

// Rotate gives a v3 merchant (and all others of his partner) a new platform certificate and signs with it from
// now on; it can be downloaded. KindConflict for a v2 merchant.
func (f *Face) Rotate(id string) error {
	m, err := f.merchant(id)
	if err != nil {
		return err
	}
	if m.Protocol == wechatpay.V2 {
		return domain.E(domain.KindConflict, "merchant %s speaks v2, which has no platform keys", id)
	}
	key, err := keyOr("")
	if err != nil {
		return domain.E(domain.KindInternal, "make a platform key: %w", err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	next, err := newCertificate(m.MchID, key, len(m.keys.platform), f.stage.Now())
	if err != nil {
		return err
	}
	m.keys.platform = append(m.keys.platform, next)
	return nil
}

// signer is the key for an answer or a callback: the one that was asked for by
// its id, else the current one.
func (f *Face) signer(m *merchant, wanted string) *platformKey {
	f.mu.Lock()
	defer f.mu.Unlock()
	if k := m.keys.find(wanted); k != nil {
		return k
	}
	return m.keys.current()
}
