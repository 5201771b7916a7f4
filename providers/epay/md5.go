package epay

import (
	// Epay V1 is defined with MD5; the confirmation policy bounds what that costs.
	"crypto/md5"
	"crypto/subtle"
	"encoding/hex"
)

// SignMD5 is the V1 signature: the lower-case hex of MD5 over the text with
// the key right behind it. It signs with any key, also with none, as anybody
// can; VerifyMD5 is where an empty key ends.
func SignMD5(text, key string) string {
	sum := md5.Sum([]byte(text + key))
	return hex.EncodeToString(sum[:])
}

// VerifyMD5 reports whether sign is the V1 signature of text. The 16 bytes are
// compared, in constant time, so an upper-case sign holds as well. Under an
// empty key nothing verifies: MD5 of the text alone proves nothing.
func VerifyMD5(text, key, sign string) bool {
	return verifyMD5(append([]byte(text), key...), key, sign)
}

// verifyMD5 is VerifyMD5 for a text that has its key appended.
func verifyMD5(textAndKey []byte, key, sign string) bool {
	var claimed [md5.Size]byte
	if key == "" || len(sign) != hex.EncodedLen(md5.Size) {
		return false
	}
	if _, err := hex.Decode(claimed[:], []byte(sign)); err != nil {
		return false
	}
	sum := md5.Sum(textAndKey)
	return subtle.ConstantTimeCompare(sum[:], claimed[:]) == 1
}
