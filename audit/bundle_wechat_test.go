package audit_test

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"counterfoil/audit"
	"counterfoil/domain"
	"counterfoil/ledger"
	"counterfoil/providers"
	"counterfoil/providers/wechatpay"
)

// wechat is a WeChat Pay v3 channel: it signs what it has encrypted.
const wechat domain.ChannelID = "wechat"

const (
	apiV3Key  = "0123456789abcdefghijABCDEFGHIJ01"
	serial    = "PUB_KEY_ID_0112345678901234567890"
	wechatApp = "wx0000000000000001"
)

// platformKey is WeChat's own key in these tests.
func platformKey(t testing.TB) *rsa.PrivateKey {
	t.Helper()
	gateway, _ := keyPairs()
	key, err := wechatpay.ParsePrivateKey(gateway.Private)
	must(t, err)
	return key
}

// addWechat configures the channel in w.
func (w *world) addWechat() {
	w.t.Helper()
	_, merchant := keyPairs()
	der, err := x509.MarshalPKIXPublicKey(&platformKey(w.t).PublicKey)
	must(w.t, err)
	ch, err := wechatpay.New(wechatpay.Config{
		Channel: wechat, Protocol: wechatpay.V3, MchID: "1900000001", AppIDs: []string{wechatApp},
		APIv3Key: providers.NewSecret(apiV3Key), MerchantKey: providers.NewSecret(merchant.Private), MerchantSerial: "AB12",
		PlatformKeys: []wechatpay.PlatformKey{{ID: serial, PEM: string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))}},
		Test:         true, Ledger: w.ledger.ID(),
	}, nil, w.clock)
	must(w.t, err)
	w.channels[wechat] = ch
	must(w.t, w.ledger.Configure(w.t.Context(), ch.Config(), ledger.By{Actor: "system", Cause: "config"}))
}

// wechatPays delivers a callback of WeChat Pay.
func (w *world) wechatPays(order, trade string, fen int) {
	w.t.Helper()
	w.wechatSays(order, trade, "SUCCESS", fen, func(*domain.Notice) {})
}

// wechatSays is a callback about a trade in some state, kept as lie has it.
func (w *world) wechatSays(order, trade, state string, fen int, lie func(*domain.Notice)) {
	w.t.Helper()
	plain := fmt.Sprintf(`{"mchid":"1900000001","appid":%q,"out_trade_no":%q,"transaction_id":%q,"trade_type":"NATIVE","trade_state":%q,`+
		`"success_time":%q,"amount":{"total":%d,"payer_total":%d,"currency":"CNY","payer_currency":"CNY"}}`,
		wechatApp, order, trade, state, w.now.Format(time.RFC3339), fen, fen)
	aead, err := wechatpay.NewAEAD(apiV3Key)
	must(w.t, err)
	sealed, err := wechatpay.Seal(aead, "abcdefghijkl", "transaction", []byte(plain))
	must(w.t, err)
	body, err := json.Marshal(map[string]any{
		"id": w.id().String(), "create_time": w.now.Format(time.RFC3339), "resource_type": "encrypt-resource", "event_type": "TRANSACTION.SUCCESS",
		"resource": map[string]string{
			"algorithm": wechatpay.ResourceAlgorithm, "ciphertext": sealed, "nonce": "abcdefghijkl",
			"associated_data": "transaction", "original_type": "transaction",
		},
	})
	must(w.t, err)
	at := fmt.Sprint(w.now.Unix())
	sign, err := wechatpay.SignRSA([]byte(at+"\nnonce\n"+string(body)+"\n"), platformKey(w.t))
	must(w.t, err)
	h := http.Header{}
	h.Set(wechatpay.HeaderTimestamp, at)
	h.Set(wechatpay.HeaderNonce, "nonce")
	h.Set(wechatpay.HeaderSerial, serial)
	h.Set(wechatpay.HeaderSignature, sign)
	read, refusal, err := w.channels[wechat].Read(providers.Request{
		Method: http.MethodPost, Target: "/callbacks/wechat", Header: h, Body: body, Remote: "203.0.113.9:1", ReceivedAt: w.now, Delivery: w.id(),
	})
	if err != nil {
		w.t.Fatalf("%+v: %v", refusal, err)
	}
	lie(&read.Notices[0])
	w.notify(read.Notices[0], read.Evidence, w.channels[wechat].Reply, domain.OutcomeCredited)
}

// strangersOfWechat are channels as whoever reads a bundle has them.
func strangersOfWechat(w *world) func([]domain.ChannelConfigured, audit.Secrets) map[domain.ChannelID]providers.Channel {
	return func(cfgs []domain.ChannelConfigured, secrets audit.Secrets) map[domain.ChannelID]providers.Channel {
		out := map[domain.ChannelID]providers.Channel{}
		for _, c := range cfgs {
			if ch, err := wechatpay.NewStranger(c, secrets[c.Channel], w.clock); err == nil {
				out[c.Channel] = ch
			}
		}
		return out
	}
}

// What WeChat Pay signed is proven to strangers without its key, and tied to
// the plain text with it. Neither leaves the verdict incomplete.
func TestBundlesOfWechatPayProveTheSignature(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.addWechat()
	w.place(wechat, "W1", "user:9", "8.88")
	w.wechatPays("W1", "4200000001", 888)
	w.fold()
	name := string(wechat) + "/W1"
	for _, c := range []struct {
		secrets                audit.Secrets
		verified, untied       int64
		files                  int
		changed, says, claimed string
	}{
		{nil, 0, 1, 0, "", "1 signed over what is encrypted", ""},
		{audit.Secrets{wechat: {strings.Repeat("x", 32), apiV3Key}, "other": {"y"}}, 1, 0, 1, "", "1 verified again", ""},
	} {
		b := w.bundleWith(payment(name), c.secrets)
		rep := w.checkAs(b, strangersOfWechat(w), w.treeKey())
		e := rep.Report.Evidence
		if !rep.OK() || !rep.Complete() || e.Verified != c.verified || e.Untied != c.untied || !strings.Contains(rep.Claims[8].Text, c.says) {
			t.Errorf("%+v\n%+v", rep.Claims, e)
		}
		if g := rep.Report.Grades; len(g) != 1 || g[0].Grade != domain.GradeA || g[0].Money[0] != yuan(t, "8.88") {
			t.Errorf("by grade: %+v", g)
		}
		if n := len(secretFiles(t, b)); n != c.files {
			t.Errorf("%d files of secrets, want %d", n, c.files)
		}
		hold := fmt.Sprintf("1 by RSA keys of providers hold, %d of them over what is encrypted", c.untied)
		if out, code := python(t, b, w.treeKey()); code != 0 || !strings.Contains(out, hold) {
			t.Errorf("the other verifier: %d\n%s", code, out)
		}
	}
}

// Who keeps something else than WeChat Pay has signed and encrypted is found with
// the key, by both verifiers; without it they say that they did not look.
func TestBundlesOfWechatPayOpenWhatWasSigned(t *testing.T) {
	t.Parallel()
	for name, lie := range map[string]func(*domain.Notice){
		"another trade":  func(n *domain.Notice) { n.TradeNo = "4200000099" },
		"another amount": func(n *domain.Notice) { n.Amount = yuan(t, "8.89") },
		"not paid":       func(n *domain.Notice) { n.Status = domain.StatusPaid },
	} {
		w := newWorld(t)
		w.addWechat()
		w.place(wechat, "W1", "user:9", map[string]string{"another trade": "8.88", "another amount": "8.89", "not paid": "8.88"}[name])
		state := "SUCCESS"
		if name == "not paid" {
			state = "NOTPAY"
		}
		w.wechatSays("W1", "4200000001", state, 888, lie)
		w.fold()
		if out, code := python(t, w.bundleWith(payment(string(wechat)+"/W1"), nil), w.treeKey()); code != 0 || !strings.Contains(out, "1 of them over what is encrypted, of which no key in the bundle shows") {
			t.Errorf("%s, without the key: %d\n%s", name, code, out)
		}
		b := w.bundleWith(payment(string(wechat)+"/W1"), audit.Secrets{wechat: {strings.Repeat("x", 32), apiV3Key}})
		if out, code := python(t, b, w.treeKey()); code != 5 || !strings.Contains(out, "signatures  NO   event 6 says something else than its evidence") {
			t.Errorf("%s: %d\n%s", name, code, out)
		}
		if rep := w.checkAs(b, strangersOfWechat(w), w.treeKey()); rep.OK() {
			t.Errorf("%s: %+v", name, rep.Claims)
		}
	}
}

// A signature that does not hold is no class of its own, but false.
func TestBundlesOfWechatPayRefuseAnotherSignature(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.addWechat()
	_, merchant := keyPairs()
	stranger, err := wechatpay.ParsePrivateKey(merchant.Private)
	must(t, err)
	sign, err := wechatpay.SignRSA([]byte("another"), stranger)
	must(t, err)
	w.place(wechat, "W1", "user:9", "8.88")
	w.wechatPays("W1", "4200000001", 888)
	w.fold()
	cfg := w.channels[wechat].Config()
	ch, err := wechatpay.NewStranger(cfg, nil, w.clock)
	must(t, err)
	e := w.evidenceOf(wechat, "W1")
	if _, err := ch.Reverify(e); domain.KindOf(err) != domain.KindDenied {
		t.Errorf("the true signature: %v", err)
	}
	for i := range e.Headers {
		if e.Headers[i].Name == wechatpay.HeaderSignature {
			e.Headers[i].Value = sign
		}
	}
	if _, err := ch.Reverify(e); domain.KindOf(err) != domain.KindForged {
		t.Errorf("another signature: %v", err)
	}
	cfg.PublicKeys = nil
	if _, err := wechatpay.NewStranger(cfg, nil, w.clock); domain.KindOf(err) != domain.KindInvalid {
		t.Errorf("no keys: %v", err)
	}
}

// evidenceOf is the opened evidence of an order's first notice.
func (w *world) evidenceOf(ch domain.ChannelID, order string) domain.Evidence {
	w.t.Helper()
	v, err := w.ledger.Payment(w.t.Context(), ch, order)
	must(w.t, err)
	for _, e := range v.Events {
		if _, ok := e.Fact.(domain.PaymentNotified); ok {
			kept, err := w.ledger.Evidence(w.t.Context(), e.Recorded)
			must(w.t, err)
			return kept
		}
	}
	w.t.Fatalf("%s has no notice", order)
	return domain.Evidence{}
}

// secretFiles are the secrets that a bundle holds, decoded.
func secretFiles(t *testing.T, bundle []byte) map[string]string {
	t.Helper()
	out := map[string]string{}
	for name, text := range unzip(t, bundle) {
		if strings.HasPrefix(name, "secrets/") {
			first, _, _ := strings.Cut(string(text), "\n")
			key, err := base64.StdEncoding.DecodeString(first)
			must(t, err)
			out[name] = string(key)
		}
	}
	return out
}

// Evidence by a shared secret leaves a bundle complete: it is told by its
// grade, with the money that rests on it.
func TestBundlesTellSharedSecretsApart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.live()
	rep := w.check(w.bundle(payment("epay-b/B1")), w.treeKey())
	e := rep.Report.Evidence
	if !rep.OK() || !rep.Complete() || e.Shared != 2 || e.Unsigned != 1 || len(e.Unverifiable) != 0 {
		t.Errorf("%+v %+v", rep.Claims, e)
	}
	if g := rep.Report.Grades; len(g) != 2 || g[0].Grade != domain.GradeB || g[1].Grade != domain.GradeC || g[1].Money[0] != yuan(t, "100.00") {
		t.Errorf("by grade: %+v", g)
	}
	// Grade A without the key that signed it stays incomplete.
	none := func([]domain.ChannelConfigured, audit.Secrets) map[domain.ChannelID]providers.Channel { return nil }
	if rep := w.checkAs(w.bundle(payment("epay-c/C1")), none, w.treeKey()); !rep.OK() || rep.Complete() {
		t.Errorf("no key for grade A: %+v", rep.Report.Evidence)
	}
}
