package wechatpay

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/providers"
)

// TestClock: the window holds on arrival, in both directions, and never again.
func TestClock(t *testing.T) {
	t.Parallel()
	c := newChannel(t, configV3())
	at := time.Unix(paymentTime, 0)
	for skew, fresh := range map[time.Duration]bool{
		0: true, 299 * time.Second: true, -299 * time.Second: true, 300 * time.Second: false, -300 * time.Second: false,
		24 * time.Hour: false, -24 * time.Hour: false,
	} {
		r := genuineV3(t)
		r.ReceivedAt = at.Add(skew)
		if _, _, err := c.Read(r); (err == nil) != fresh {
			t.Errorf("%s later: %v", skew, err)
		}
		if !fresh {
			wantRefused(t, c, r, domain.ReasonStale)
		}
	}
	kept := mustRead(t, c, genuineV3(t)).Evidence
	if notices, err := newChannelAt(t, testNow.AddDate(9, 0, 0)).Reverify(kept); err != nil || len(notices) != 1 {
		t.Errorf("nine years later: %+v, %v", notices, err)
	}
}

func newChannelAt(t *testing.T, now time.Time) *Channel {
	t.Helper()
	c, err := New(configV3(), &http.Client{Transport: offline{}}, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// A repetition of years ago is stale, whoever sends it.
func TestReplay(t *testing.T) {
	t.Parallel()
	r := genuineV3(t)
	r.ReceivedAt = testNow.AddDate(3, 0, 0)
	wantRefused(t, newChannel(t, configV3()), r, domain.ReasonStale)
}

func TestProbe(t *testing.T) {
	t.Parallel()
	c := newChannel(t, configV3())
	probe := withSign(genuineV3(t), ProbePrefix+genuineV3(t).Header.Get(HeaderSignature))
	wantRefused(t, c, probe, domain.ReasonProbe)
	// The prefix proves nothing: what is right behind it is refused as well, and
	// what is wrong without it is no probe.
	wantRefused(t, c, withSign(genuineV3(t), ProbePrefix), domain.ReasonProbe)
	wantRefused(t, c, withSign(genuineV3(t), "x"+ProbePrefix), domain.ReasonWrongSignature)
	mustRead(t, c, genuineV3(t))
}

// A refused callback names the order it claims, so that the provider is asked.
func TestRefusalNamesTheOrder(t *testing.T) {
	t.Parallel()
	c := newChannel(t, configV3())
	_, refusal, err := c.Read(signedBy(strangerKey(), platformSerial, genuineV3(t).Body))
	if err == nil || refusal.OrderNo != orderNo {
		t.Errorf("%+v, %v", refusal, err)
	}
	v2 := newChannel(t, configV2())
	if _, refusal, _ := v2.Read(xmlRequest(AppendXML(nil, "xml", fieldsV2(t)))); refusal.OrderNo != "1409811653" {
		t.Errorf("%+v", refusal)
	}
}

func TestBothKindsOfKeys(t *testing.T) {
	t.Parallel()
	cfg := configV3()
	cfg.PlatformKeys = append(cfg.PlatformKeys, PlatformKey{ID: publicKeyID, PEM: publicPEM(strangerKey())})
	c := newChannel(t, cfg)
	mustRead(t, c, genuineV3(t))
	got := mustRead(t, c, signedBy(strangerKey(), publicKeyID, genuineV3(t).Body))
	if got.Evidence.Key != Fingerprint(&strangerKey().PublicKey) {
		t.Errorf("key %s", got.Evidence.Key)
	}
	wantRefused(t, c, signedBy(strangerKey(), platformSerial, genuineV3(t).Body), domain.ReasonWrongSignature)
	wantRefused(t, c, signedBy(platformKeyOnce(), publicKeyID, genuineV3(t).Body), domain.ReasonWrongSignature)
}

func TestHeadersAreStrict(t *testing.T) {
	t.Parallel()
	c := newChannel(t, configV3())
	for _, name := range []string{HeaderTimestamp, HeaderNonce, HeaderSerial, HeaderSignature} {
		for _, change := range []func([]string) []string{
			func([]string) []string { return nil },
			func([]string) []string { return []string{""} },
			func(v []string) []string { return append(slices.Clone(v), v[0]) },
			func(v []string) []string { return []string{v[0] + " "} },
			func(v []string) []string { return []string{v[0] + "\xff"} },
		} {
			r := genuineV3(t)
			r.Header[name] = change(r.Header[name])
			wantRefused(t, c, r, domain.ReasonWrongSignature)
		}
	}
	r := genuineV3(t)
	delete(r.Header, HeaderSignatureType) // the only one there is
	mustRead(t, c, r)
	r.Header.Set("Content-Encoding", "gzip")
	wantRefused(t, c, r, domain.ReasonUnreadable)
	r = genuineV3(t)
	r.Body = make([]byte, limit+1)
	wantRefused(t, c, r, domain.ReasonTooLarge)
}

// Amounts that a lenient parser would take for money (threats B1, B7).
func TestAmounts(t *testing.T) {
	t.Parallel()
	c := newChannel(t, configV3())
	for _, text := range []string{
		"1e9", "1E2", "1.005", "10.0", "-1", "-0", "0", `"1000"`, "null", "true", `"\u0661\u0662"`, "9223372036854775808", "1000000000000000",
		`"0x10"`, `"NaN"`, "[1000]", `{"a":1}`, `" 1"`, `"1,000"`,
	} {
		wantRefused(t, c, event("TRANSACTION.SUCCESS", plainPayment(t, `"total":1000`, `"total":`+text)), domain.ReasonUnreadable)
	}
	for text, minor := range map[string]int64{"1": 1, "999999999999999": domain.MaxParsed} {
		got := mustRead(t, c, event("TRANSACTION.SUCCESS", plainPayment(t, `"total":1000`, `"total":`+text)))
		if got.Notices[0].Amount.Minor() != minor {
			t.Errorf("%s is %s", text, got.Notices[0].Amount)
		}
	}
	yen := mustRead(t, c, event("TRANSACTION.SUCCESS", plainPayment(t, `"currency":"CNY"`, `"currency":"JPY"`)))
	if yen.Notices[0].Amount != domain.NewMoney(1000, domain.JPY) {
		t.Errorf("1000 yen are %s", yen.Notices[0].Amount)
	}
	coupons := mustRead(t, c, event("TRANSACTION.SUCCESS", plainPayment(t, `"payer_total":1000`, `"payer_total":900`)))
	if coupons.Notices[0].Amount.Minor() != 1000 {
		t.Errorf("coupons make it %s", coupons.Notices[0].Amount)
	}
}

// TestStates: only one word means money (threat A10).
func TestStates(t *testing.T) {
	t.Parallel()
	c := newChannel(t, configV3())
	for _, word := range []string{"NOTPAY", "CLOSED", "REVOKED", "USERPAYING", "PAYERROR", "ACCEPT", "success", "SUCCESS ", "PAID", "TRADE_SUCCESS"} {
		got := mustRead(t, c, event("TRANSACTION.SUCCESS", plainPayment(t, `"trade_state":"SUCCESS"`, `"trade_state":"`+word+`"`)))
		if len(got.Notices) != 1 || got.Notices[0].Status == domain.StatusPaid {
			t.Errorf("%s is money: %+v", word, got.Notices)
		}
	}
	both := mustRead(t, c, event("TRANSACTION.SUCCESS", plainPayment(t, `"trade_state":"SUCCESS"`, `"trade_state":"REFUND"`)))
	if len(both.Notices) != 2 || both.Notices[0].Status != domain.StatusPaid || both.Notices[1].Status != domain.StatusRefunded || both.Notices[1].Index != 1 {
		t.Errorf("an order into refund: %+v", both.Notices)
	}
	none := mustRead(t, c, event("TRANSACTION.SUCCESS", plainPayment(t, `"transaction_id":"`+tradeNo+`",`, "")))
	if !slices.Equal(none.Notices[0].Doubts, []domain.Doubt{domain.DoubtNoTradeNo}) {
		t.Errorf("without a number of WeChat's: %+v", none.Notices)
	}
}

// Events of other products are kept and answered, and are no money.
func TestOtherEvents(t *testing.T) {
	t.Parallel()
	c := newChannel(t, configV3())
	got := mustRead(t, c, event("PAYSCORE.USER_PAID", plainPayment(t)))
	if n := got.Notices[0]; n.Status != domain.StatusOther || n.ProviderStatus != "PAYSCORE.USER_PAID" || n.OrderNo != orderNo || !n.Amount.IsZero() {
		t.Errorf("%+v", n)
	}
	wantRefused(t, c, event("PAYSCORE.USER_PAID", `{"a":1}`), domain.ReasonForeignMerchant)
	fail := mustRead(t, c, event("TRANSACTION.FAIL", plainPayment(t, `"trade_state":"SUCCESS"`, `"trade_state":"PAYERROR"`, `,"amount":{"total":1000,"payer_total":1000,"currency":"CNY","payer_currency":"CNY"}`, "")))
	if n := fail.Notices[0]; n.Status != domain.StatusFailed || !n.Amount.IsZero() {
		t.Errorf("%+v", n)
	}
}

func TestRefundStates(t *testing.T) {
	t.Parallel()
	c := newChannel(t, configV3())
	plain := string(vector(t, "refund.plain.json"))
	for word, status := range map[string]domain.Status{
		"SUCCESS": domain.StatusSucceeded, "CLOSED": domain.StatusFailed, "ABNORMAL": domain.StatusOther, "PROCESSING": domain.StatusWaiting, "x": domain.StatusOther,
	} {
		got := mustRead(t, c, event("REFUND."+word, strings.Replace(plain, `"refund_status":"SUCCESS"`, `"refund_status":"`+word+`"`, 1)))
		if n := got.Notices[0]; n.Status != status || n.ProviderStatus != word || n.About != domain.AboutRefund || n.Amount.Minor() != 400 {
			t.Errorf("%s is read as %+v", word, n)
		}
	}
	no := strings.Replace(plain, `"refund_id":"50300001232026021412345678901",`, "", 1)
	if n := mustRead(t, c, event("REFUND.SUCCESS", no)).Notices[0]; n.RefundID != "R"+orderNo || len(n.Doubts) != 0 {
		t.Errorf("a refund without WeChat's number: %+v", n)
	}
	no = strings.Replace(no, `"out_refund_no":"R20260214100000001",`, "", 1)
	if n := mustRead(t, c, event("REFUND.SUCCESS", no)).Notices[0]; !slices.Equal(n.Doubts, []domain.Doubt{domain.DoubtNoRefundID}) {
		t.Errorf("a refund without any number: %+v", n)
	}
}

// A change of the APIv3 key loses nothing that was encrypted with the old one.
func TestOldAPIv3Key(t *testing.T) {
	t.Parallel()
	cfg := configV3()
	cfg.APIv3Key = providers.NewSecret("another APIv3 key of 32 bytes!!!")
	wantRefused(t, newChannel(t, cfg), genuineV3(t), domain.ReasonUnreadable)
	cfg.OldAPIv3Keys = []providers.Secret{providers.NewSecret(apiV3Key)}
	mustRead(t, newChannel(t, cfg), genuineV3(t))
}

func TestPartner(t *testing.T) {
	t.Parallel()
	cfg := configV3()
	cfg.SubMchID, cfg.SubAppIDs = "1900000200", []string{"wx1"}
	c := newChannel(t, cfg)
	body := func(changes ...string) string {
		text := plainPayment(t, `"mchid":"1900000109","appid":"`+appID+`"`,
			`"sp_mchid":"1900000109","sp_appid":"`+appID+`","sub_mchid":"1900000200","sub_appid":"wx1"`)
		for i := 0; i+1 < len(changes); i += 2 {
			text = strings.Replace(text, changes[i], changes[i+1], 1)
		}
		return text
	}
	mustRead(t, c, event("TRANSACTION.SUCCESS", body()))
	for _, foreign := range []string{
		body("1900000200", "1900000201"), body(`"wx1"`, `"wx2"`), body("1900000109", "1900000110"), body(`"sub_mchid":"1900000200",`, ""), plainPayment(t),
	} {
		wantRefused(t, c, event("TRANSACTION.SUCCESS", foreign), domain.ReasonForeignMerchant)
	}
	if m := c.Config().Merchant; m["sub_mchid"] != "1900000200" || m["mchid"] != mchID {
		t.Errorf("merchant %v", m)
	}
}

// The notice of a refund made by hand comes as XML to v3 merchants as well: a
// hint, because nothing signs it.
func TestRefundXML(t *testing.T) {
	t.Parallel()
	notice := func(mch, app, info string) providers.Request {
		return xmlRequest(AppendXML(nil, "xml", Fields{
			{"return_code", "SUCCESS"}, {"appid", app}, {"mch_id", mch}, {"nonce_str", "x"}, {"req_info", info},
		}))
	}
	info := string(vector(t, "req_info.b64"))
	v3 := newChannel(t, configV3())
	for _, tt := range []struct {
		c        *Channel
		mch, app string
	}{{v3, mchID, appID}, {newChannel(t, configV2()), "10000100", "wx2421b1c4370ec43b"}} {
		got := mustRead(t, tt.c, notice(tt.mch, tt.app, info))
		n, e := got.Notices[0], got.Evidence
		if n.About != domain.AboutRefund || n.RefundID != "50000408942018111907145868882" || n.RefundNo != "R1409811653" || n.Amount.Minor() != 40 ||
			n.Status != domain.StatusSucceeded || !slices.Equal(n.Doubts, []domain.Doubt{domain.DoubtUnsigned}) || !n.OccurredAt.Equal(refunded().OccurredAt) {
			t.Errorf("%+v", n)
		}
		if e.Grade != domain.GradeB || e.Scheme != SchemeReqInfo || e.Key != tt.c.v2.mark {
			t.Errorf("evidence %+v", e)
		}
		if again, err := tt.c.Reverify(e); err != nil || len(again) != 1 || !providers.SameContent(again[0], n) {
			t.Errorf("Reverify = %+v, %v", again, err)
		}
		wantRefused(t, tt.c, notice("1", tt.app, info), domain.ReasonForeignMerchant)
		wantRefused(t, tt.c, notice(tt.mch, "wx0", info), domain.ReasonForeignMerchant)
		wantRefused(t, tt.c, notice(tt.mch, tt.app, SealReqInfo(apiKey+"0", vector(t, "req_info.xml"))), domain.ReasonWrongSignature)
		wantRefused(t, tt.c, notice(tt.mch, tt.app, SealReqInfo(apiKey, []byte("<root><a>1</a><a>1</a></root>"))), domain.ReasonUnreadable)
		wantRefused(t, tt.c, notice(tt.mch, tt.app, SealReqInfo(apiKey, []byte("<!DOCTYPE root><root></root>"))), domain.ReasonUnreadable)
	}
	cfg := configV3()
	cfg.APIKey = providers.Secret{}
	wantRefused(t, newChannel(t, cfg), notice(mchID, appID, info), domain.ReasonUnreadable)
	// Money never comes in this way: a payment in XML is not this channel's.
	wantRefused(t, v3, xmlRequest(signedV2(fieldsV2(t, Field{"mch_id", mchID}, Field{"appid", appID}), apiKey, SignMD5)), domain.ReasonWrongSignature)
}

// TestReverifyKinds tells apart what cannot be checked here from what does not
// hold.
func TestReverifyKinds(t *testing.T) {
	t.Parallel()
	c := newChannel(t, configV3())
	kept := mustRead(t, c, genuineV3(t)).Evidence
	other := configV3()
	other.PlatformKeys = []PlatformKey{{ID: publicKeyID, PEM: publicPEM(strangerKey())}}
	_, err := newChannel(t, other).Reverify(kept)
	wantKind(t, err, domain.KindNotFound)
	for kind, change := range map[domain.Kind]func(*domain.Evidence){
		domain.KindForged:  func(e *domain.Evidence) { e.Grade = domain.GradeB },
		domain.KindInvalid: func(e *domain.Evidence) { e.Kind = "bill" },
	} {
		e := kept
		change(&e)
		_, err := c.Reverify(e)
		wantKind(t, err, kind)
	}
}

// Bytes that broke other readers (threats B2, B4).
func TestXMLThatIsRefused(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat("<a>", 1_000_000)
	var many strings.Builder
	for i := range maxXMLFields + 1 {
		fmt.Fprintf(&many, "<f%d>1</f%d>", i, i)
	}
	for name, text := range map[string]string{
		"external entity":    `<!DOCTYPE xml [<!ENTITY e SYSTEM "file:///etc/passwd">]><xml><a>&e;</a></xml>`,
		"billion laughs":     `<!DOCTYPE xml [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><xml><a>&b;</a></xml>`,
		"DOCTYPE inside":     `<xml><!DOCTYPE a><a>1</a></xml>`,
		"declaration":        `<?xml version="1.0" encoding="UTF-8"?><xml><a>1</a></xml>`,
		"instruction":        `<xml><?php 1?><a>1</a></xml>`,
		"comment":            `<xml><!-- --><a>1</a></xml>`,
		"comment in a value": `<xml><a>1<!-- -->00</a></xml>`,
		"two CDATA sections": `<xml><a><![CDATA[1]]><![CDATA[00]]></a></xml>`,
		"CDATA and text":     `<xml><a><![CDATA[1]]>00</a></xml>`,
		"text and CDATA":     `<xml><a>1<![CDATA[00]]></a></xml>`,
		"name space":         `<xml><b:a>1</b:a></xml>`,
		"attribute":          `<xml><a x="1">1</a></xml>`,
		"root's attribute":   `<xml x="1"><a>1</a></xml>`,
		"twice":              `<xml><a>1</a><a>2</a></xml>`,
		"case twins":         `<xml><a>1</a><A>2</A></xml>`,
		"second root":        `<xml><a>1</a></xml><xml><a>2</a></xml>`,
		"text in the root":   `<xml>1<a>1</a></xml>`,
		"nested":             `<xml><a><b>1</b></a></xml>`,
		"crossed":            `<xml><a>1</b></xml>`,
		"no end":             `<xml><a>1</a>`,
		"open CDATA":         `<xml><a><![CDATA[1</a></xml>`,
		"own entity":         `<xml><a>&xxe;</a></xml>`,
		"numbered entity":    `<xml><a>&#49;</a></xml>`,
		"loose ampersand":    `<xml><a>1 & 2</a></xml>`,
		"NUL":                "<xml><a>1\x00</a></xml>",
		"bad UTF-8":          "<xml><a>\xff</a></xml>",
		"BOM":                "\xef\xbb\xbf<xml><a>1</a></xml>",
		"UTF-16":             "\xfe\xff\x00<\x00x",
		"too many":           "<xml>" + many.String() + "</xml>",
		"a million deep":     "<xml>" + deep,
		"long name":          "<xml><" + strings.Repeat("a", 65) + ">1</" + strings.Repeat("a", 65) + "></xml>",
		"empty":              "",
	} {
		if f, err := ScanXML([]byte(text), "xml"); domain.KindOf(err) != domain.KindInvalid || err == nil {
			t.Errorf("%s: %v, %v", name, f, err)
		}
	}
	f, err := ScanXML([]byte(" <xml>\n<a><![CDATA[x<y>&z]]></a>\r\n\t<b>1 &lt; 2 &amp; 3</b><c></c><d/></xml>\n"), "xml")
	if err != nil || !slices.Equal(f, Fields{{"a", "x<y>&z"}, {"b", "1 < 2 & 3"}, {"c", ""}, {"d", ""}}) {
		t.Errorf("%q, %v", f, err)
	}
	round := Fields{{"a", "]]>"}, {"b", "<&>"}}
	if f, err := ScanXML(AppendXML(nil, "xml", round), "xml"); err != nil || !slices.Equal(f, round) {
		t.Errorf("%q, %v", f, err)
	}
}
