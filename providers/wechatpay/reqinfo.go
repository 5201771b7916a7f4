package wechatpay

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/md5" //nolint:gosec // defines the key of req_info; nothing rests on its strength
	"encoding/base64"
	"encoding/hex"

	"counterfoil/domain"
)

// SealReqInfo encrypts the XML of a v2 refund notice (refund notice page of
// v2): AES-256-ECB with PKCS#7 under the lower-case hex of the API key's MD5,
// in base64.
func SealReqInfo(apiKey string, plain []byte) string {
	block := reqInfoCipher(apiKey)
	pad := aes.BlockSize - len(plain)%aes.BlockSize
	sealed := append(make([]byte, 0, len(plain)+pad), plain...)
	for range pad {
		sealed = append(sealed, byte(pad))
	}
	for at := 0; at < len(sealed); at += aes.BlockSize {
		block.Encrypt(sealed[at:at+aes.BlockSize], sealed[at:at+aes.BlockSize])
	}
	return base64.StdEncoding.EncodeToString(sealed)
}

// OpenReqInfo is the XML of a v2 refund notice. ECB has no integrity: whoever
// has seen one can cut blocks out of it and put them elsewhere, so what it says
// is a hint. KindInvalid for what does not decrypt.
func OpenReqInfo(apiKey, text string) ([]byte, error) {
	plain, ok := strictBase64(text)
	if !ok || len(plain) == 0 || len(plain)%aes.BlockSize != 0 {
		return nil, domain.E(domain.KindInvalid, "req_info is not base64 of whole blocks")
	}
	block := reqInfoCipher(apiKey)
	for at := 0; at < len(plain); at += aes.BlockSize {
		block.Decrypt(plain[at:at+aes.BlockSize], plain[at:at+aes.BlockSize])
	}
	pad := int(plain[len(plain)-1])
	if pad < 1 || pad > aes.BlockSize {
		return nil, errReqInfo()
	}
	for _, b := range plain[len(plain)-pad:] {
		if int(b) != pad {
			return nil, errReqInfo()
		}
	}
	return plain[:len(plain)-pad], nil
}

func errReqInfo() error {
	return domain.E(domain.KindInvalid, "req_info does not open with the API key")
}

func reqInfoCipher(apiKey string) cipher.Block {
	sum := md5.Sum([]byte(apiKey)) //nolint:gosec // see the import
	block, err := aes.NewCipher([]byte(hex.EncodeToString(sum[:])))
	if err != nil {
		panic("wechatpay: 32 bytes are no AES key: " + err.Error())
	}
	return block
}
