package wechatpay

import (
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"counterfoil/domain"
	"counterfoil/providers"
)

// Names of the ways to check a proof, as evidence records them. They are
// stored: never change one.
const (
	SchemeV3      = "wechatpay.v3"             // RSA over a callback or an answer
	SchemeMD5     = "wechatpay.v2.md5"         // the shared key over a callback or an answer
	SchemeHMAC    = "wechatpay.v2.hmac-sha256" //
	SchemeReqInfo = "wechatpay.v2.req_info"    // encrypted with the shared key, not signed
)

// v3Keys are the keys of a v3 channel.
type v3Keys struct {
	aeads    []cipher.AEAD // the newest first
	secrets  []domain.SecretMark
	merchant *rsa.PrivateKey
	serial   string
	platform keyring
}

// newV3 takes the keys of v3. The sign type of v2 must be absent: whoever sets
// both expects the message to choose.
func newV3(cfg Config) (*v3Keys, error) {
	if cfg.SignType != "" {
		return nil, domain.EField(domain.KindInvalid, "sign_type", "belongs to v2")
	}
	k := &v3Keys{serial: cfg.MerchantSerial}
	if err := k.takeAPIv3Keys(cfg); err != nil {
		return nil, err
	}
	if cfg.MerchantKey.IsZero() {
		return nil, domain.EField(domain.KindInvalid, "merchant_key", "is missing")
	}
	merchant, err := ParsePrivateKey(cfg.MerchantKey.Reveal())
	if err != nil {
		return nil, domain.EField(domain.KindInvalid, "merchant_key", "%w", err)
	}
	k.merchant = merchant
	if !isHex(cfg.MerchantSerial) {
		return nil, domain.EField(domain.KindInvalid, "merchant_serial", "%q is not a serial in upper-case hex", cfg.MerchantSerial)
	}
	return k, k.takePlatformKeys(cfg.PlatformKeys)
}

func isHex(s string) bool {
	return s != "" && len(s) <= 40 && strings.Trim(s, "0123456789ABCDEF") == ""
}

func (k *v3Keys) takeAPIv3Keys(cfg Config) error {
	if cfg.APIv3Key.IsZero() {
		return domain.EField(domain.KindInvalid, "api_v3_key", "is missing")
	}
	for i, secret := range append([]providers.Secret{cfg.APIv3Key}, cfg.OldAPIv3Keys...) {
		field, use := "api_v3_key", "api_v3"
		if i > 0 {
			field, use = "old_api_v3_keys", "api_v3_old"
		}
		aead, err := NewAEAD(secret.Reveal())
		if err != nil {
			return domain.EField(domain.KindInvalid, field, "%w", err)
		}
		k.aeads = append(k.aeads, aead)
		k.secrets = append(k.secrets, domain.SecretMark{Use: use, Fingerprint: secretMark(secret.Reveal(), cfg)})
	}
	return nil
}

// takePlatformKeys may take none: they are downloaded then.
func (k *v3Keys) takePlatformKeys(keys []PlatformKey) error {
	for _, configured := range keys {
		key, err := parsePlatformKey(configured)
		if err != nil {
			return domain.EField(domain.KindInvalid, "platform_keys", "%.64q %w", configured.ID, err)
		}
		if key.pub.Equal(&k.merchant.PublicKey) {
			return domain.EField(domain.KindInvalid, "platform_keys", "%s is our own key, not WeChat's", key.id)
		}
		key.obtained = fromConfig
		if !configured.Retired.IsZero() {
			key.notAfter = configured.Retired
		}
		if !k.platform.add(key) {
			return domain.EField(domain.KindInvalid, "platform_keys", "%s is there twice, with different keys", key.id)
		}
	}
	return nil
}

// open decrypts a resource with the newest key that fits: what was encrypted
// before a change of the APIv3 key comes again after it.
func (k *v3Keys) open(nonce, associated, ciphertext string) (plain []byte, err error) {
	for i, aead := range k.aeads {
		plain, opened := Open(aead, nonce, associated, ciphertext)
		if opened == nil {
			return plain, nil
		}
		if i == 0 {
			err = opened
		}
	}
	return nil, err
}

// sharedKey is the v2 API key.
type sharedKey struct {
	key      string
	signType string // "" on a v3 channel, which has it for req_info only
	mark     string
}

func newSharedKey(cfg Config) (*sharedKey, error) {
	key := cfg.APIKey.Reveal()
	switch {
	case key == "":
		return nil, domain.EField(domain.KindInvalid, "api_key", "is missing")
	case len(key) < minAPIKey:
		return nil, domain.EField(domain.KindInvalid, "api_key", "has %d bytes, want at least %d", len(key), minAPIKey)
	case strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }):
		return nil, domain.EField(domain.KindInvalid, "api_key", "has something else than visible ASCII characters in it")
	}
	if cfg.Protocol == V2 {
		if err := onlyV2(cfg); err != nil {
			return nil, err
		}
	}
	return &sharedKey{key: key, signType: cfg.SignType, mark: secretMark(key, cfg)}, nil
}

// onlyV2 refuses settings of v3 on a v2 channel.
func onlyV2(cfg Config) error {
	switch {
	case cfg.SignType != SignMD5 && cfg.SignType != SignHMAC:
		return domain.EField(domain.KindInvalid, "sign_type", "%q is neither %s nor %s", cfg.SignType, SignMD5, SignHMAC)
	case !cfg.APIv3Key.IsZero() || len(cfg.OldAPIv3Keys) > 0:
		return domain.EField(domain.KindInvalid, "api_v3_key", "belongs to v3")
	case !cfg.MerchantKey.IsZero():
		return domain.EField(domain.KindInvalid, "merchant_key", "belongs to v3")
	case cfg.MerchantSerial != "":
		return domain.EField(domain.KindInvalid, "merchant_serial", "belongs to v3")
	case len(cfg.PlatformKeys) > 0:
		return domain.EField(domain.KindInvalid, "platform_keys", "belong to v3")
	}
	return nil
}

func (s *sharedKey) scheme() string {
	if s.signType == SignHMAC {
		return SchemeHMAC
	}
	return SchemeMD5
}

// verify reports whether a v2 message is signed with this key in the channel's
// way. The algorithm that a message names may only agree.
func (s *sharedKey) verify(f Fields) bool {
	if t := f.Value(fieldSignType); t != "" && t != s.signType {
		return false
	}
	return verifyFields(f, s.key, s.signType)
}

// secretMark names a shared key without telling it: HMAC-SHA256 under the key,
// over the ledger's id and the channel, so that two stores that share a key do
// not show it.
func secretMark(key string, cfg Config) string {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte("counterfoil channel secret " + cfg.Ledger.String() + string(cfg.Channel)))
	return "hmac:" + hex.EncodeToString(mac.Sum(nil))
}
