package wechatpay

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"

	"counterfoil/domain"
)

// ResourceAlgorithm is the one encryption of v3 (APIv3 key, callback resource
// and platform certificates).
const ResourceAlgorithm = "AEAD_AES_256_GCM"

// aeadNonce is the length of a resource's nonce. Go's GCM panics on another.
const aeadNonce = 12

// NewAEAD is the cipher of an APIv3 key, whose 32 bytes are the AES key as they
// are. KindInvalid for another length.
func NewAEAD(apiV3Key string) (cipher.AEAD, error) {
	if len(apiV3Key) != 32 {
		return nil, domain.E(domain.KindInvalid, "an APIv3 key has 32 bytes, this one %d", len(apiV3Key))
	}
	block, err := aes.NewCipher([]byte(apiV3Key))
	if err != nil {
		return nil, domain.E(domain.KindInternal, "make the cipher of an APIv3 key: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, domain.E(domain.KindInternal, "make the mode of an APIv3 key: %w", err)
	}
	return aead, nil
}

// Seal is the ciphertext of a resource: cipher text and tag in base64. A nonce
// that has not 12 bytes is KindInvalid.
func Seal(aead cipher.AEAD, nonce, associated string, plain []byte) (string, error) {
	if len(nonce) != aeadNonce {
		return "", domain.E(domain.KindInvalid, "nonce has %d bytes, want %d", len(nonce), aeadNonce)
	}
	return base64.StdEncoding.EncodeToString(aead.Seal(nil, []byte(nonce), plain, []byte(associated))), nil
}

// Open is the plain text of a resource. KindInvalid for what is not sealed with
// this key, nonce and associated data.
func Open(aead cipher.AEAD, nonce, associated, ciphertext string) ([]byte, error) {
	if len(nonce) != aeadNonce {
		return nil, domain.E(domain.KindInvalid, "nonce has %d bytes, want %d", len(nonce), aeadNonce)
	}
	sealed, ok := strictBase64(ciphertext)
	if !ok {
		return nil, domain.E(domain.KindInvalid, "ciphertext is not base64")
	}
	plain, err := aead.Open(sealed[:0], []byte(nonce), sealed, []byte(associated))
	if err != nil {
		return nil, domain.E(domain.KindInvalid, "ciphertext does not open with the APIv3 key")
	}
	return plain, nil
}
