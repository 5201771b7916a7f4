package wechatpay

import (
	"crypto/sha1"
	"encoding/hex"
	"strings"
	"testing"
)

// The expected values were computed with the openssl tool and with the official
// and two other libraries, not with this package.

func TestVectorsOfV3Callbacks(t *testing.T) {
	t.Parallel()
	aead, err := NewAEAD(apiV3Key)
	if err != nil {
		t.Fatal(err)
	}
	for name, v := range map[string]struct{ timestamp, nonce, associated string }{
		"payment": {"1771034406", paymentNonce, "transaction"},
		"refund":  {"1771038001", refundNonce, "refund"},
	} {
		body, sign := vector(t, name+".json"), string(vector(t, name+".sig"))
		text := Message(v.timestamp, v.nonce, string(body))
		if !VerifyRSA(text, sign, &platformKeyOnce().PublicKey) {
			t.Errorf("%s: the signature does not hold", name)
		}
		if got, err := SignRSA(text, platformKeyOnce()); err != nil || got != sign {
			t.Errorf("%s: signed as %s, %v", name, got, err)
		}
		e, err := readEnvelope(body)
		if err != nil {
			t.Fatal(err)
		}
		want := vector(t, name+".plain.json")
		plain, err := Open(aead, e.nonce, e.associated, e.ciphertext)
		if err != nil || string(plain) != string(want) {
			t.Errorf("%s opens as %s, %v", name, plain, err)
		}
		if got, err := Seal(aead, e.nonce, v.associated, want); err != nil || got != e.ciphertext {
			t.Errorf("%s is sealed as %s, %v", name, got, err)
		}
	}
}

func TestVectorOfRequest(t *testing.T) {
	t.Parallel()
	const target = "/v3/pay/transactions/out-trade-no/20260214100000001?mchid=1900000109"
	sign := func(text []byte) (string, error) { return SignRSA(text, merchantKeyOnce()) }
	got, err := SignRequest(mchID, merchantSerial, "GET", target, "1771034500", "593BEC0C930BF1AFEB40B4A08C8FB242", "", sign)
	if want := string(vector(t, "request.authorization")); err != nil || got != want {
		t.Errorf("Authorization %s, %v\nwant %s", got, err, want)
	}
}

func TestVectorOfEmptyAnswer(t *testing.T) {
	t.Parallel()
	if !VerifyRSA(Message("1771034501", "abcdefabcdef", ""), string(vector(t, "empty.sig")), &platformKeyOnce().PublicKey) {
		t.Error("the signature does not hold")
	}
}

func TestVectorsOfV2Signatures(t *testing.T) {
	t.Parallel()
	official := Fields{
		{"appid", "wxd930ea5d5a258f4f"},
		{"mch_id", "10000100"},
		{"device_info", "1000"},
		{"body", "test"},
		{"nonce_str", "ibuaiVcKdpRxkhJA"},
		{"sign", "ignored"},
		{"attach", ""},
	}
	for _, v := range []struct {
		fields         Fields
		signType, sign string
	}{
		{official, SignMD5, "9A0A8659F005D6984697E2CA0A9CF3B7"},
		{official, SignHMAC, "6A9AE1657590FD6257D693A078E1C3E4BB6BA4DC30B23E0EE2496E54170DACD6"},
		{fieldsV2(t), SignMD5, "4CC53ACCA42560578ECA8814175578FD"},
		{fieldsV2(t, Field{"sign_type", SignHMAC}), SignHMAC, "595E4CE95524C708FA31BCC2C28ED653F2677B3F08DDF484728AE36F8562CEDC"},
	} {
		if got := SignFields(v.fields, apiKey, v.signType); got != v.sign {
			t.Errorf("%s of %v = %s, want %s", v.signType, v.fields, got, v.sign)
		}
		signed := v.fields.with(Field{"sign", strings.ToLower(v.sign)})
		if !verifyFields(signed, apiKey, v.signType) {
			t.Errorf("%s does not hold", v.sign)
		}
		forged := v.fields.with(Field{"sign", SignFields(v.fields, "", v.signType)})
		if verifyFields(signed, apiKey+"0", v.signType) || verifyFields(forged, "", v.signType) {
			t.Error("another key, or none, verifies")
		}
	}
}

func TestVectorOfReqInfo(t *testing.T) {
	t.Parallel()
	text, want := string(vector(t, "req_info.b64")), vector(t, "req_info.xml")
	if got, err := OpenReqInfo(apiKey, text); err != nil || string(got) != string(want) {
		t.Errorf("opens as %s, %v", got, err)
	}
	if got := SealReqInfo(apiKey, want); got != text {
		t.Errorf("is sealed as %s", got)
	}
	if _, err := OpenReqInfo(apiKey+"0", text); err == nil {
		t.Error("opens with another key")
	}
}

func TestVectorOfBill(t *testing.T) {
	t.Parallel()
	sum := sha1.Sum(vector(t, "tradebill.csv"))
	if got := hex.EncodeToString(sum[:]); got != "d9c5cb515d6c17023b886c595f3016e2538196c7" {
		t.Errorf("the bill of the tests has the hash %s", got)
	}
}
