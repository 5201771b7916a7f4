package wechatpay

import (
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"iter"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"counterfoil/domain"
	"counterfoil/providers"
	"counterfoil/providers/providertest"
)

// replies is the protocol's answer for every outcome.
func replies(refused, failed domain.Reply) map[domain.Outcome]domain.Reply {
	table := map[domain.Outcome]domain.Reply{domain.OutcomeRefused: refused, domain.OutcomeFailed: failed}
	for _, o := range domain.Outcomes() {
		if o.Success() {
			table[o] = domain.Reply{
				Status: 200, ContentType: "text/xml",
				Body: "<xml><return_code><![CDATA[SUCCESS]]></return_code><return_msg><![CDATA[OK]]></return_msg></xml>",
			}
		}
	}
	return table
}

func repliesV3() map[domain.Outcome]domain.Reply {
	return replies(
		domain.Reply{Status: 400, ContentType: "application/json", Body: `{"code":"FAIL","message":"refused"}`},
		domain.Reply{Status: 500, ContentType: "application/json", Body: `{"code":"FAIL","message":"failed"}`},
	)
}

func repliesV2() map[domain.Outcome]domain.Reply {
	const body = "<xml><return_code><![CDATA[FAIL]]></return_code><return_msg><![CDATA[FAIL]]></return_msg></xml>"
	return replies(
		domain.Reply{Status: 400, ContentType: "text/xml", Body: body},
		domain.Reply{Status: 500, ContentType: "text/xml", Body: body},
	)
}

// mutantsV3 flips every bit of the body, and of the two headers that are signed
// with it.
func mutantsV3(r providers.Request) iter.Seq[providers.Request] {
	return func(yield func(providers.Request) bool) {
		for i := range len(r.Body) * 8 {
			m := r
			m.Body = slices.Clone(r.Body)
			m.Body[i/8] ^= 1 << (i % 8)
			if !yield(m) {
				return
			}
		}
		for _, name := range []string{HeaderTimestamp, HeaderNonce, HeaderSerial} {
			value := r.Header.Get(name)
			for i := range len(value) * 8 {
				m, raw := r, []byte(value)
				raw[i/8] ^= 1 << (i % 8)
				m.Header = r.Header.Clone()
				m.Header[name] = []string{string(raw)}
				if !yield(m) {
					return
				}
			}
		}
	}
}

var strangerKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

func TestSuiteV3(t *testing.T) {
	t.Parallel()
	stranger := configV3()
	stranger.PlatformKeys = []PlatformKey{{ID: publicKeyID, PEM: publicPEM(strangerKey())}}
	sameSerial := newChannel(t, configV3())
	key, err := newPlatformKey(platformSerial, &strangerKey().PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	sameSerial.v3.platform = keyring{}
	sameSerial.v3.platform.add(key)
	refund := withHeaders(vector(t, "refund.json"), strconv.Itoa(paymentTime), paymentNonce, platformSerial, "")
	refund = signedBy(platformKeyOnce(), platformSerial, refund.Body)
	closed := paid()
	closed.Status, closed.ProviderStatus = domain.StatusClosed, "CLOSED"
	account := paid()
	account.Account = "user:7"
	providertest.Run(t, providertest.Harness{
		Channel: newChannel(t, configV3()),
		Others:  []providers.Channel{newChannel(t, stranger), sameSerial},
		Genuine: []providertest.Genuine{
			{Name: "payment", Request: genuineV3(t), Notices: []domain.Notice{paid()}},
			{Name: "refund", Request: refund, Notices: []domain.Notice{refunded()}},
			{Name: "closed", Request: event("TRANSACTION.CLOSED", plainPayment(t, `"SUCCESS"`, `"CLOSED"`)), Notices: []domain.Notice{closed}},
			{Name: "account", Request: event("TRANSACTION.SUCCESS", plainPayment(t, `"attach":""`, `"attach":"user:7"`)), Notices: []domain.Notice{account}},
		},
		Mutants:     mutantsV3,
		Forged:      forgedV3(t),
		Replies:     repliesV3(),
		SuccessWord: "success",
		Secrets:     []string{apiV3Key, apiKey, pemVector("merchant_key.pem")},
		Amount: func(text string) []providers.Request {
			quoted, err := json.Marshal(text)
			if err != nil {
				t.Fatal(err)
			}
			all := []providers.Request{event("TRANSACTION.SUCCESS", plainPayment(t, `"total":1000`, `"total":`+string(quoted)))}
			if strings.TrimSpace(text) != text {
				return all // a blank between tokens is JSON's own
			}
			refund := strings.Replace(string(vector(t, "refund.plain.json")), `"refund":400`, `"refund":`+text, 1)
			return append(all, event("TRANSACTION.SUCCESS", plainPayment(t, `"total":1000`, `"total":`+text)), event("REFUND.SUCCESS", refund))
		},
	})
}

// refunded is what the published refund says.
func refunded() domain.Notice {
	n := paid()
	n.About, n.Amount, n.Status = domain.AboutRefund, domain.NewMoney(400, domain.CNY), domain.StatusSucceeded
	n.RefundID, n.RefundNo = "50300001232026021412345678901", "R20260214100000001"
	n.OccurredAt = n.OccurredAt.Add(59*60*1e9 + 55*1e9)
	return n
}

func withSign(r providers.Request, values ...string) providers.Request {
	r.Header = r.Header.Clone()
	r.Header[HeaderSignature] = values
	return r
}

func forgedV3(t *testing.T) map[providertest.Forgery][]providers.Request {
	t.Helper()
	good := genuineV3(t)
	key, body := platformKeyOnce(), good.Body
	text := signedText(strconv.Itoa(paymentTime), paymentNonce, body)
	mac := hmac.New(sha256.New, publicDER(&key.PublicKey))
	mac.Write(text)
	digest := sha256.Sum256(text)
	pss, err := rsa.SignPSS(rand.Reader, key, crypto.SHA256, digest[:], nil)
	if err != nil {
		t.Fatal(err)
	}
	otherType := withSign(good, good.Header.Get(HeaderSignature))
	otherType.Header[HeaderSignatureType] = []string{"WECHATPAY2-SM2-WITH-SM3"}
	unsigned := withSign(good)
	delete(unsigned.Header, HeaderSignature)
	twice := func(plain string) providers.Request { return event("TRANSACTION.SUCCESS", plain) }
	sign := func(body string) providers.Request { return signedBy(key, platformSerial, []byte(body)) }
	return map[providertest.Forgery][]providers.Request{
		providertest.OtherMerchant: {
			twice(plainPayment(t, mchID, "1900000110")), twice(plainPayment(t, appID, "wx0000000000000000")),
			twice(plainPayment(t, `"mchid":"1900000109",`, "")), twice(plainPayment(t, `"appid":"wxd678efh567hg6787",`, "")),
			twice(plainPayment(t, `"mchid"`, `"sub_mchid":"1900000111","mchid"`)),
			event("REFUND.SUCCESS", strings.Replace(string(vector(t, "refund.plain.json")), mchID, "1", 1)),
		},
		providertest.EmptySign:    {unsigned, withSign(good, ""), withSign(good, "  "), withSign(good, "====")},
		providertest.EmptyKeySign: {withSign(good, base64.StdEncoding.EncodeToString(make([]byte, 256)))},
		providertest.OtherKeySign: {
			signedBy(strangerKey(), platformSerial, body), signedBy(merchantKeyOnce(), platformSerial, body),
			signedBy(strangerKey(), merchantSerial, body), signedBy(key, strings.ToLower(platformSerial), body),
			withSign(good, good.Header.Get(HeaderSignature), good.Header.Get(HeaderSignature)),
		},
		providertest.OtherAlgorithm: {
			otherType, withSign(good, base64.StdEncoding.EncodeToString(mac.Sum(nil))), withSign(good, base64.StdEncoding.EncodeToString(pss)),
			xmlRequest(signedV2(fieldsV2(t), apiKey, SignMD5)),
		},
		providertest.Duplicates: {
			twice(plainPayment(t, `"total":1000`, `"total":1000,"total":1`)), twice(plainPayment(t, `"total":1000`, `"total":1000,"Total":1`)),
			twice(plainPayment(t, `"trade_state":"SUCCESS"`, `"trade_state":"NOTPAY","trade_state":"SUCCESS"`)),
			sign(strings.Replace(string(body), `"summary"`, `"event_type":"REFUND.SUCCESS","summary"`, 1)),
			sign(strings.Replace(string(body), `"nonce"`, `"Nonce":"fdasflkja485","nonce"`, 1)),
		},
		providertest.Unreadable: {
			sign(""), sign("{}"), sign("[]"), sign("null"), sign(string(body) + "{}"), sign(string(body[:len(body)-1])),
			sign(strings.Replace(string(body), "AEAD_AES_256_GCM", "AEAD_SM4_GCM", 1)),
			sign(strings.Replace(string(body), resourceNonce, "short", 1)), sign(strings.Replace(string(body), `"nonce":"fdasflkja484"`, `"x":1`, 1)),
			sign(strings.Replace(string(body), `"resource":`, `"no_resource":`, 1)),
			sign(strings.Replace(string(body), `"associated_data":"transaction"`, `"associated_data":"refund"`, 1)),
			twice(plainPayment(t, `"total":1000`, `"total":1e3`)), twice(plainPayment(t, `"total":1000`, `"total":"1000"`)), twice(plainPayment(t, `"total":1000`, `"total":0`)),
			twice(plainPayment(t, `"total":1000`, `"total":-1`)), twice(plainPayment(t, `"total":1000`, `"total":10.0`)), twice(plainPayment(t, `"CNY"`, `"cny"`)),
			twice("not JSON"), twice("{}" + plainPayment(t)),
			xmlRequest([]byte("<xml></xml")),
		},
	}
}

// mutantsV2 flips every bit of every signed name and value.
func mutantsV2(r providers.Request) iter.Seq[providers.Request] {
	fields, err := ScanXML(r.Body, "xml")
	if err != nil {
		panic(err)
	}
	return func(yield func(providers.Request) bool) {
		for i, f := range fields {
			if f.Name == fieldSign {
				continue
			}
			for bit := range (len(f.Name) + len(f.Value)) * 8 {
				mutant := slices.Clone(fields)
				raw := []byte(f.Name + f.Value)
				raw[bit/8] ^= 1 << (bit % 8)
				mutant[i] = Field{string(raw[:len(f.Name)]), string(raw[len(f.Name):])}
				if !yield(xmlRequest(AppendXML(nil, "xml", mutant))) {
					return
				}
			}
		}
	}
}

func TestSuiteV2(t *testing.T) {
	t.Parallel()
	for _, signType := range []string{SignMD5, SignHMAC} {
		t.Run(signType, func(t *testing.T) {
			t.Parallel()
			runSuiteV2(t, signType)
		})
	}
}

func runSuiteV2(t *testing.T, signType string) {
	t.Helper()
	const otherKey = "00112233445566778899aabbccddeeff"
	cfg, otherCfg, otherType := configV2(), configV2(), configV2()
	cfg.SignType, otherCfg.SignType = signType, signType
	otherCfg.APIKey = providers.NewSecret(otherKey)
	otherType.SignType = map[string]string{SignMD5: SignHMAC, SignHMAC: SignMD5}[signType]
	sign := func(changes ...Field) providers.Request {
		return xmlRequest(signedV2(fieldsV2(t, changes...), apiKey, signType))
	}
	notice := paid()
	notice.Channel, notice.OrderNo, notice.TradeNo = "wechat-v2", "1409811653", "1004400740201409030005092168"
	notice.Amount = domain.NewMoney(100, domain.CNY)
	failed, account := notice, notice
	failed.Status, failed.ProviderStatus = domain.StatusFailed, "FAIL"
	account.Account, account.Doubts = "", []domain.Doubt{domain.DoubtAmbiguousText}
	providertest.Run(t, providertest.Harness{
		Channel: newChannel(t, cfg),
		Others:  []providers.Channel{newChannel(t, otherCfg), newChannel(t, otherType)},
		Genuine: []providertest.Genuine{
			{Name: "payment", Request: sign(), Notices: []domain.Notice{notice}},
			{Name: "new field", Request: sign(Field{"promotion_new", "1"}), Notices: []domain.Notice{notice}},
			{Name: "failed", Request: sign(Field{"result_code", "FAIL"}), Notices: []domain.Notice{failed}},
			{Name: "ambiguous", Request: sign(Field{"attach", "a&total_fee=1"}), Notices: []domain.Notice{account}},
		},
		Mutants: mutantsV2,
		Forged:  forgedV2(t, signType, otherType.SignType, otherKey, sign),
		Replies: repliesV2(), SuccessWord: "success", Secrets: []string{apiKey},
		Amount: func(text string) []providers.Request {
			return []providers.Request{sign(Field{"total_fee", text}), sign(Field{"total_fee", text + "00"})}
		},
	})
}

func forgedV2(t *testing.T, signType, otherType, otherKey string, sign func(...Field) providers.Request) map[providertest.Forgery][]providers.Request {
	t.Helper()
	body := func(text string) providers.Request { return xmlRequest([]byte(text)) }
	good := string(sign().Body)
	replace := func(old, by string) providers.Request { return body(strings.Replace(good, old, by, 1)) }
	unsigned := string(AppendXML(nil, "xml", fieldsV2(t)))
	return map[providertest.Forgery][]providers.Request{
		providertest.OtherMerchant: {
			sign(Field{"mch_id", "10000101"}), sign(Field{"appid", "wx0"}), sign(Field{"sub_mch_id", "1"}), sign(Field{"mch_id", ""}), sign(Field{"appid", ""}),
		},
		providertest.EmptySign:      {body(unsigned), body(strings.Replace(unsigned, "</xml>", "<sign></sign></xml>", 1))},
		providertest.EmptyKeySign:   {xmlRequest(signedV2(fieldsV2(t), "", signType))},
		providertest.OtherKeySign:   {xmlRequest(signedV2(fieldsV2(t), otherKey, signType))},
		providertest.OtherAlgorithm: {xmlRequest(signedV2(fieldsV2(t), apiKey, otherType)), sign(Field{"sign_type", otherType})},
		providertest.Duplicates: {
			replace("<total_fee>", "<total_fee>1</total_fee><total_fee>"), replace("</xml>", "<Total_fee>1</Total_fee></xml>"),
			replace("</xml>", "<sign>0</sign></xml>"),
		},
		providertest.Unreadable: {
			body(""), body("{}"), body("<xml/>"), body(good + "x"), body("<?xml version=\"1.0\"?>" + good), body("<!DOCTYPE xml>" + good),
			replace("<total_fee>", "<a:total_fee>"), replace("<total_fee>", `<total_fee x="1">`), replace("<![CDATA[100]]>", "1<!-- -->00"),
			replace("<![CDATA[100]]>", "<b>100</b>"), replace("<![CDATA[100]]>", "&xxe;"), replace("<![CDATA[100]]>", "&#49;"),
			body("\xef\xbb\xbf" + good), replace("<![CDATA[100]]>", "\xff"), sign(Field{"total_fee", "1e2"}), sign(Field{"total_fee", "1.00"}),
			sign(Field{"total_fee", "0"}), sign(Field{"total_fee", ""}), sign(Field{"fee_type", "cny"}), sign(Field{"return_code", "FAIL"}),
			sign(Field{"out_trade_no", ""}),
		},
	}
}
