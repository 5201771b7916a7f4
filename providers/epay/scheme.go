package epay

import (
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"counterfoil/domain"
)

// Names of the ways to check a proof, as evidence records them. They are
// stored: never change one.
const (
	SchemeMD5   = "epay.md5.v1" // a V1 callback
	SchemeRSA   = "epay.rsa.v2" // a V2 callback or query answer
	SchemeHTTPS = "https"       // an unsigned query answer over TLS
	SchemeHTTP  = "http"        // the same without TLS, where the settings allow it
)

// scheme is the algorithm of a channel with its keys.
type scheme interface {
	// name is SchemeMD5 or SchemeRSA.
	name() string
	// signType is the word for it in the field sign_type.
	signType() string
	grade() domain.Grade
	// mark names the key that verifies, in public.
	mark() string
	// verify may write behind the end of text.
	verify(text []byte, sign string) bool
	sign(text string) (string, error)
	// describe adds the keys to the channel's record.
	describe(*domain.ChannelConfigured)
	// mask takes our secret out of text.
	mask(text string) string
}

// newScheme takes the keys of cfg. The keys of the other version must be
// absent: whoever sets both expects the message to choose.
func newScheme(cfg Config) (scheme, error) {
	if cfg.Version == V2 {
		return newRSAScheme(cfg)
	}
	key := cfg.Key.Reveal()
	switch {
	case key == "":
		return nil, domain.EField(domain.KindInvalid, "key", "is missing")
	case len(key) < minSharedKey:
		return nil, domain.EField(domain.KindInvalid, "key", "has %d bytes, want at least %d", len(key), minSharedKey)
	case strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r == 0x7f }):
		return nil, domain.EField(domain.KindInvalid, "key", "has a blank, a line break or a control character in it")
	case !cfg.MerchantKey.IsZero():
		return nil, domain.EField(domain.KindInvalid, "merchant_key", "belongs to v2")
	case cfg.PlatformKey != "":
		return nil, domain.EField(domain.KindInvalid, "platform_key", "belongs to v2")
	}
	return &md5Scheme{key: key, keyMark: SecretFingerprint(key, cfg.Ledger, cfg.Channel)}, nil
}

func newRSAScheme(cfg Config) (scheme, error) {
	if !cfg.Key.IsZero() {
		return nil, domain.EField(domain.KindInvalid, "key", "belongs to v1")
	}
	if cfg.MerchantKey.IsZero() {
		return nil, domain.EField(domain.KindInvalid, "merchant_key", "is missing")
	}
	if cfg.PlatformKey == "" {
		return nil, domain.EField(domain.KindInvalid, "platform_key", "is missing")
	}
	merchant, err := ParsePrivateKey(cfg.MerchantKey.Reveal())
	if err != nil {
		return nil, domain.EField(domain.KindInvalid, "merchant_key", "%w", err)
	}
	platform, err := ParsePublicKey(cfg.PlatformKey)
	if err != nil {
		return nil, domain.EField(domain.KindInvalid, "platform_key", "%w", err)
	}
	if merchant.PublicKey.Equal(platform) {
		return nil, domain.EField(domain.KindInvalid, "platform_key", "is our own public key, not the gateway's")
	}
	return &rsaScheme{merchant: merchant, platform: platform, keyMark: Fingerprint(platform)}, nil
}

// SecretFingerprint names a shared key without telling it: HMAC-SHA256 under
// the key, over the ledger's id and the channel, so that two stores that share
// a key do not show it.
func SecretFingerprint(key string, ledger domain.ID, channel domain.ChannelID) string {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte("counterfoil channel secret " + ledger.String() + string(channel)))
	return "hmac:" + hex.EncodeToString(mac.Sum(nil))
}

type md5Scheme struct {
	key     string
	keyMark string
}

func (s *md5Scheme) name() string        { return SchemeMD5 }
func (s *md5Scheme) signType() string    { return "MD5" }
func (s *md5Scheme) grade() domain.Grade { return domain.GradeB }
func (s *md5Scheme) mark() string        { return s.keyMark }

func (s *md5Scheme) verify(text []byte, sign string) bool {
	return verifyMD5(append(text, s.key...), s.key, sign)
}

func (s *md5Scheme) sign(text string) (string, error) { return SignMD5(text, s.key), nil }

func (s *md5Scheme) describe(f *domain.ChannelConfigured) {
	f.Secrets = []domain.SecretMark{{Use: "md5", Fingerprint: s.keyMark}}
}

func (s *md5Scheme) mask(text string) string { return maskKey(text, s.key) }

type rsaScheme struct {
	merchant *rsa.PrivateKey
	platform *rsa.PublicKey
	keyMark  string
}

func (s *rsaScheme) name() string        { return SchemeRSA }
func (s *rsaScheme) signType() string    { return "RSA" }
func (s *rsaScheme) grade() domain.Grade { return domain.GradeA }
func (s *rsaScheme) mark() string        { return s.keyMark }

func (s *rsaScheme) verify(text []byte, sign string) bool { return verifyRSA(text, sign, s.platform) }

func (s *rsaScheme) sign(text string) (string, error) { return SignRSA(text, s.merchant) }

func (s *rsaScheme) describe(f *domain.ChannelConfigured) {
	f.PublicKeys = []domain.PublicKey{
		{Fingerprint: s.keyMark, Use: "platform", DER: PublicDER(s.platform), Obtained: "config"},
		{Fingerprint: Fingerprint(&s.merchant.PublicKey), Use: "merchant", DER: PublicDER(&s.merchant.PublicKey), Obtained: "config"},
	}
}

// mask has nothing to do: the private key never leaves this process.
func (s *rsaScheme) mask(text string) string { return text }
