package epay

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"strings"
	"sync"
	"testing"

	"counterfoil/domain"
)

// testKey is a key pair of this test run.
var testKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

func TestMD5Vectors(t *testing.T) {
	t.Parallel()
	for _, v := range md5Vectors {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			if got := SignMD5(v.text, v.key); got != v.sign {
				t.Errorf("SignMD5 = %s, want %s", got, v.sign)
			}
			if !VerifyMD5(v.text, v.key, v.sign) {
				t.Error("VerifyMD5 refuses the vector")
			}
			if !VerifyMD5(v.text, v.key, strings.ToUpper(v.sign)) {
				t.Error("VerifyMD5 refuses the vector in upper case")
			}
		})
	}
}

func TestVerifyMD5Refuses(t *testing.T) {
	t.Parallel()
	v := md5Vectors[1]
	for name, sign := range map[string]string{
		"empty":      "",
		"short":      v.sign[:30],
		"long":       v.sign + "00",
		"not hex":    v.sign[:31] + "g",
		"other":      md5Vectors[0].sign,
		"blank":      " " + v.sign[1:],
		"empty key":  SignMD5(v.text, ""),
		"json true":  "true",
		"magic hash": "0e462097431906509019562988736854",
	} {
		if VerifyMD5(v.text, v.key, sign) {
			t.Errorf("%s: VerifyMD5 accepts %q", name, sign)
		}
	}
	if VerifyMD5(v.text, "", SignMD5(v.text, "")) {
		t.Error("VerifyMD5 accepts anything under an empty key")
	}
}

func TestVerifyMD5EveryBit(t *testing.T) {
	t.Parallel()
	v := md5Vectors[1]
	for i := range len(v.text) * 8 {
		text := []byte(v.text)
		text[i/8] ^= 1 << (i % 8)
		if VerifyMD5(string(text), v.key, v.sign) {
			t.Fatalf("bit %d of the text may change", i)
		}
	}
}

func TestRSAVectors(t *testing.T) {
	t.Parallel()
	for _, v := range rsaVectors {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			pub, err := ParsePublicKey(v.key)
			if err != nil {
				t.Fatal(err)
			}
			if !VerifyRSA(v.text, v.sign, pub) {
				t.Error("VerifyRSA refuses the vector")
			}
			if !VerifyRSA(v.text, strings.ReplaceAll(v.sign, "+", " "), pub) {
				t.Error("VerifyRSA refuses blanks for +")
			}
			if VerifyRSA(v.text+" ", v.sign, pub) || VerifyRSA(strings.ToLower(v.text), v.sign, pub) {
				t.Error("VerifyRSA accepts another text")
			}
			for _, sign := range []string{"", "AAAA", v.sign + "\n", v.sign[:len(v.sign)-4], "A" + v.sign[1:]} {
				if VerifyRSA(v.text, sign, pub) {
					t.Errorf("VerifyRSA accepts %q", sign)
				}
			}
			if VerifyRSA(v.text, v.sign, nil) || VerifyRSA(v.text, v.sign, &rsa.PublicKey{}) {
				t.Error("VerifyRSA accepts without a key")
			}
			if VerifyRSA(v.text, v.sign, &testKey().PublicKey) {
				t.Error("VerifyRSA accepts under another key")
			}
		})
	}
}

func TestSignRSA(t *testing.T) {
	t.Parallel()
	sign, err := SignRSA("a=1&b=中", testKey())
	if err != nil {
		t.Fatal(err)
	}
	if !VerifyRSA("a=1&b=中", sign, &testKey().PublicKey) {
		t.Error("own signature does not verify")
	}
}

func TestText(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		params Params
		want   string
	}{
		{"nothing", nil, ""},
		{"drops sign, sign_type and the empty", Params{{"sign", "x"}, {"b", "2"}, {"sign_type", "MD5"}, {"c", ""}, {"a", "1"}}, "a=1&b=2"},
		{"sorts by bytes", Params{{"a_b", "3"}, {"a", "2"}, {"B", "1"}, {"ab", "4"}}, "B=1&a=2&a_b=3&ab=4"},
		{"keeps zero and blanks", Params{{"z", "0"}, {"w", " "}}, "w= &z=0"},
		{"joins raw", Params{{"n", "a&b=c%20+"}}, "n=a&b=c%20+"},
		{"similar names are signed", Params{{"signature", "1"}, {"Sign", "2"}}, "Sign=2&signature=1"},
	}
	for _, tt := range tests {
		before := append(Params(nil), tt.params...)
		if got := Text(tt.params); got != tt.want {
			t.Errorf("%s: Text = %q, want %q", tt.name, got, tt.want)
		}
		for i := range before {
			if tt.params[i] != before[i] {
				t.Errorf("%s: Text moved the caller's fields", tt.name)
			}
		}
	}
}

func TestParseKeys(t *testing.T) {
	t.Parallel()
	key := testKey()
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs1 := x509.MarshalPKCS1PrivateKey(key)
	bare := base64.StdEncoding.EncodeToString(pkcs8)
	for name, text := range map[string]string{
		"bare PKCS#8":   bare,
		"bare PKCS#1":   base64.StdEncoding.EncodeToString(pkcs1),
		"wrapped lines": "\n" + bare[:64] + "\r\n" + bare[64:] + "\n",
		"PEM PKCS#8":    string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})),
		"PEM PKCS#1":    string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: pkcs1})),
	} {
		got, err := ParsePrivateKey(text)
		if err != nil || !got.Equal(key) {
			t.Errorf("%s: ParsePrivateKey = %v", name, err)
		}
	}
	spki := PublicDER(&key.PublicKey)
	for name, text := range map[string]string{
		"bare": base64.StdEncoding.EncodeToString(spki),
		"PEM":  string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki})),
	} {
		got, err := ParsePublicKey(text)
		if err != nil || !got.Equal(&key.PublicKey) {
			t.Errorf("%s: ParsePublicKey = %v", name, err)
		}
	}
}

func TestParseKeysRefuse(t *testing.T) {
	t.Parallel()
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	private := x509.MarshalPKCS1PrivateKey(testKey())
	public := PublicDER(&testKey().PublicKey)
	for name, text := range map[string]string{
		"empty":       "",
		"no base64":   "@@@@",
		"no key":      "AAAA",
		"1024 bits":   base64.StdEncoding.EncodeToString(x509.MarshalPKCS1PrivateKey(weak)),
		"public key":  base64.StdEncoding.EncodeToString(public),
		"other PEM":   string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: private})),
		"broken PEM":  "-----BEGIN PRIVATE KEY-----\nAAAA",
		"two in one":  strings.Repeat(string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: private})), 2),
		"cut in half": base64.StdEncoding.EncodeToString(private[:len(private)/2]),
	} {
		if key, err := ParsePrivateKey(text); domain.KindOf(err) != domain.KindInvalid || key != nil {
			t.Errorf("%s: ParsePrivateKey = %v, %v, want nil and invalid", name, key, err)
		}
	}
	for name, text := range map[string]string{
		"empty":       "",
		"1024 bits":   base64.StdEncoding.EncodeToString(PublicDER(&weak.PublicKey)),
		"private key": base64.StdEncoding.EncodeToString(private),
		"private PEM": string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: private})),
	} {
		if key, err := ParsePublicKey(text); domain.KindOf(err) != domain.KindInvalid || key != nil {
			t.Errorf("%s: ParsePublicKey = %v, %v, want nil and invalid", name, key, err)
		}
	}
}

func TestFingerprint(t *testing.T) {
	t.Parallel()
	pub, err := ParsePublicKey(platformPublicKey)
	if err != nil {
		t.Fatal(err)
	}
	if base64.StdEncoding.EncodeToString(PublicDER(pub)) != platformPublicKey {
		t.Error("PublicDER is not the key as the gateway shows it")
	}
	const want = "sha256:17846f6902925629256e61a70273eb567d863067b83a8ce4e4012a405d548c92"
	if got := Fingerprint(pub); got != want {
		t.Errorf("Fingerprint = %s, want %s", got, want)
	}
}
