package epay

import (
	"bytes"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/providers"

	"github.com/google/go-cmp/cmp"
)

const order = "20160806151343349"

func equalNotice(t *testing.T, got, want domain.Notice) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b domain.Money) bool { return a == b })); diff != "" {
		t.Errorf("notice (-want +got):\n%s", diff)
	}
}

func read(t *testing.T, c *Channel, r providers.Request) providers.Read {
	t.Helper()
	got, refusal, err := c.Read(r)
	if err != nil {
		t.Fatalf("refused with %s: %v", refusal.Reason, err)
	}
	if len(got.Notices) != 1 {
		t.Fatalf("%d notices", len(got.Notices))
	}
	return got
}

// TestReadPublished reads the published callback as it is published.
func TestReadPublished(t *testing.T) {
	t.Parallel()
	c := newChannel(t, configV1())
	const query = "pid=1001&trade_no=2016080615134334902&out_trade_no=20160806151343349&type=alipay&name=VIP%E4%BC%9A%E5%91%98&money=1&trade_status=TRADE_SUCCESS&sign=a1c7b4738eb83a42f2e62279b00b6aca&sign_type=MD5"
	got := read(t, c, getRaw(query))
	equalNotice(t, got.Notices[0], paid())
	equalNotice(t, read(t, c, post(query)).Notices[0], paid())

	want := domain.Evidence{
		Kind: "callback", Method: "GET", Target: "/callbacks/epay-main?" + query,
		Headers: []domain.Header{{Name: "Accept", Value: "*/*"}, {Name: "User-Agent", Value: "Mozilla/4.0"}},
		Remote:  "203.0.113.9:40000", At: testNow, Scheme: "epay.md5.v1",
		Key: SecretFingerprint(sampleKey, testLedger, "epay-main"), Grade: domain.GradeB,
	}
	if diff := cmp.Diff(want, got.Evidence); diff != "" {
		t.Errorf("evidence (-want +got):\n%s", diff)
	}
}

func TestReadPublishedV2(t *testing.T) {
	t.Parallel()
	c := newChannel(t, configV2())
	v := rsaVectors[1]
	fields := Params{{"sign", v.sign}, {"sign_type", "RSA"}}
	for piece := range strings.SplitSeq(v.text, "&") {
		name, value, _ := strings.Cut(piece, "=")
		fields = append(fields, Param{name, value})
	}
	want := paid()
	want.Channel = "epay-rsa"
	got := read(t, c, get(fields))
	equalNotice(t, got.Notices[0], want)
	if got.Evidence.Scheme != "epay.rsa.v2" || got.Evidence.Grade != domain.GradeA ||
		got.Evidence.Key != "sha256:17846f6902925629256e61a70273eb567d863067b83a8ce4e4012a405d548c92" {
		t.Errorf("evidence: %+v", got.Evidence)
	}
	unescaped := strings.ReplaceAll(encode(fields), "%2B", "+")
	equalNotice(t, read(t, c, getRaw(unescaped)).Notices[0], want)
}

func TestReadMoney(t *testing.T) {
	t.Parallel()
	c := newChannel(t, configV1())
	for text, fen := range map[string]int64{
		"1": 100, "1.00": 100, "7.3": 730, "7.30": 730, "7.3000": 730, "0.01": 1, "9999999999.99": 999999999999,
	} {
		got := read(t, c, get(signedV1(callback(Param{"money", text})))).Notices[0].Amount
		if got != domain.NewMoney(fen, domain.CNY) {
			t.Errorf("money=%s is %s", text, got)
		}
	}
	for _, text := range []string{
		"0", "0.00", "-1", "+1", ".5", "5.", "1e2", "1E+2", "0x10", "NaN", "Inf", "1_0", "1,000", " 1", "1 ", "00012",
		"7.301", "1.000000001", "٣", "１", "9223372036854775808", "1" + strings.Repeat("0", 40), "1." + strings.Repeat("0", 40),
	} {
		wantRefused(t, c, get(signedV1(callback(Param{"money", text}))), domain.ReasonUnreadable, order)
	}
}

func TestReadStatus(t *testing.T) {
	t.Parallel()
	c := newChannel(t, configV1())
	for word, status := range map[string]domain.Status{
		"TRADE_SUCCESS": domain.StatusPaid, "TRADE_CLOSED": domain.StatusClosed, "WAIT_BUYER_PAY": domain.StatusWaiting,
		"TRADE_FINISHED": domain.StatusOther, "trade_success": domain.StatusOther, "TRADE_SUCCESS ": domain.StatusOther,
		" TRADE_SUCCESS": domain.StatusOther, "SUCCESS": domain.StatusOther, "1": domain.StatusOther, "TRADE_REFUND": domain.StatusOther,
	} {
		got := read(t, c, get(signedV1(callback(Param{"trade_status", word})))).Notices[0]
		if got.Status != status || got.ProviderStatus != word {
			t.Errorf("trade_status=%q is %s, %q, want %s", word, got.Status, got.ProviderStatus, status)
		}
	}
}

// TestReadDoubts has every right signature that may not move money alone.
func TestReadDoubts(t *testing.T) {
	t.Parallel()
	c := newChannel(t, configV1())
	tests := []struct {
		name   string
		fields Params
		doubts []domain.Doubt
	}{
		{"plain", callback(), nil},
		{"all that V2 sends", callback(Param{"param", "u=7"}, Param{"api_trade_no", "4"}, Param{"buyer", "b"},
			Param{"timestamp", "1721206072"}, Param{"addtime", "x"}, Param{"endtime", ""}), nil},
		{"no type, no name", callback(Param{"type", ""}, Param{"name", ""}), nil},
		{"harmless signs", callback(Param{"name", `A&B a=b "c" & = %20 +`}), nil},
		{"an & and a name without =", callback(Param{"name", "AT&T"}), nil},
		{"an & and a word outside names", callback(Param{"name", "x&b-c=1"}), nil},
		{"html", callback(Param{"name", "&lt;b=1&gt;"}), nil},
		{"V1-4", callback(Param{"name", "a+b c&d=e%20/中"}), []domain.Doubt{domain.DoubtAmbiguousText}},
		{"AMB2 genuine", callback(Param{"name", "x&out_trade_no=VICTIM&pax=1"}), []domain.Doubt{domain.DoubtAmbiguousText}},
		{"AMB2 forged", callback(Param{"pax", "1&out_trade_no=REAL-CHEAP"}), []domain.Doubt{domain.DoubtAmbiguousText, domain.DoubtUnknownFields}},
		{"second & is the trap", callback(Param{"param", "a&&b=1"}), []domain.Doubt{domain.DoubtAmbiguousText}},
		{"in an id", callback(Param{"trade_no", "1&x=2"}), []domain.Doubt{domain.DoubtAmbiguousText}},
		{"= in an id", callback(Param{"out_trade_no", "a=b"}), []domain.Doubt{domain.DoubtAmbiguousText}},
		{"% in an id", callback(Param{"trade_no", "a%20b"}), []domain.Doubt{domain.DoubtAmbiguousText}},
		{"notify_url", callback(Param{"notify_url", "https://x.example/"}), []domain.Doubt{domain.DoubtURLFields}},
		{"return_url", callback(Param{"return_url", "https://x.example/"}), []domain.Doubt{domain.DoubtURLFields}},
		{"device", callback(Param{"device", "pc"}), []domain.Doubt{domain.DoubtURLFields}},
		{"clientip", callback(Param{"clientip", "::1"}), []domain.Doubt{domain.DoubtURLFields}},
		{"method", callback(Param{"method", "web"}), []domain.Doubt{domain.DoubtURLFields}},
		{"unknown", callback(Param{"extra", "1"}), []domain.Doubt{domain.DoubtUnknownFields}},
		{"unknown and empty", callback(Param{"extra", ""}), []domain.Doubt{domain.DoubtUnknownFields}},
		{"other case", callback(Param{"Money", "1"}), []domain.Doubt{domain.DoubtUnknownFields}},
		{"no trade_no", callback(Param{"trade_no", ""}), []domain.Doubt{domain.DoubtNoTradeNo}},
		{
			"all at once", callback(Param{"trade_no", ""}, Param{"x", "&a=b"}, Param{"method", "web"}),
			[]domain.Doubt{domain.DoubtAmbiguousText, domain.DoubtURLFields, domain.DoubtUnknownFields, domain.DoubtNoTradeNo},
		},
	}
	for _, tt := range tests {
		got, refusal, err := c.Read(get(signedV1(tt.fields)))
		if err != nil {
			t.Errorf("%s: refused with %s: %v", tt.name, refusal.Reason, err)
			continue
		}
		if !slices.Equal(got.Notices[0].Doubts, tt.doubts) {
			t.Errorf("%s: doubts %v, want %v", tt.name, got.Notices[0].Doubts, tt.doubts)
		}
	}
}

// TestReadLooseText signs as Rainbow does since 2025: values of only blanks
// are not in the text.
func TestReadLooseText(t *testing.T) {
	t.Parallel()
	c := newChannel(t, configV1())
	fields := callback(Param{"name", ""})
	signed := with(signedV1(fields), Param{"name", "  "})
	got := read(t, c, get(signed)).Notices[0]
	if !slices.Equal(got.Doubts, []domain.Doubt{domain.DoubtLooseText}) {
		t.Errorf("doubts %v", got.Doubts)
	}
	// Signed with the blanks it is no deviation.
	if got := read(t, c, get(signedV1(callback(Param{"name", "  "})))).Notices[0]; got.Doubts != nil {
		t.Errorf("doubts %v", got.Doubts)
	}
	// What the signature does not cover is not read.
	noTrade := with(signedV1(callback(Param{"trade_no", ""})), Param{"trade_no", " "})
	want := []domain.Doubt{domain.DoubtNoTradeNo, domain.DoubtLooseText}
	if got := read(t, c, get(noTrade)).Notices[0]; !slices.Equal(got.Doubts, want) || got.TradeNo != "" {
		t.Errorf("uncovered trade_no %q is read, doubts %v", got.TradeNo, got.Doubts)
	}
}

func TestReadEndTime(t *testing.T) {
	t.Parallel()
	c := newChannel(t, configV1())
	got := read(t, c, get(signedV1(callback(Param{"endtime", "2024-07-17 16:49:24"})))).Notices[0]
	if want := time.Date(2024, 7, 17, 8, 49, 24, 0, time.UTC); !got.OccurredAt.Equal(want) {
		t.Errorf("occurred at %s, want %s", got.OccurredAt, want)
	}
	got = read(t, c, get(signedV1(callback(Param{"endtime", "0000-00-00 00:00:00"})))).Notices[0]
	if !got.OccurredAt.IsZero() {
		t.Errorf("occurred at %s", got.OccurredAt)
	}
}

func TestReadRefusesForged(t *testing.T) {
	t.Parallel()
	v1, v2 := newChannel(t, configV1()), newChannel(t, configV2())
	good := signedV1(callback())
	sign := good.Value("sign")
	rsaSign, err := SignRSA(Text(callback()), testKey()) // the merchant's key, not the platform's
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name    string
		channel *Channel
		fields  Params
	}{
		{"no sign", v1, callback()},
		{"empty sign", v1, with(signedV1(callback()), Param{"sign", ""})},
		{"sign of the empty key", v1, with(signedV1(callback()), Param{"sign", SignMD5(Text(callback()), "")})},
		{"sign of another key", v1, with(signedV1(callback()), Param{"sign", SignMD5(Text(callback()), shortKey)})},
		{"cut sign", v1, with(signedV1(callback()), Param{"sign", sign[:31]})},
		{"long sign", v1, with(signedV1(callback()), Param{"sign", sign + "0"})},
		{"JSON true", v1, with(signedV1(callback()), Param{"sign", "true"})},
		{"other amount", v1, with(signedV1(callback()), Param{"money", "1.00"})},
		{"other pid", v1, with(signedV1(callback()), Param{"pid", "1002"})},
		{"RSA on V1", v1, append(callback(), Param{"sign", rsaSign}, Param{"sign_type", "RSA"})},
		{"right MD5 called RSA", v1, with(signedV1(callback()), Param{"sign_type", "RSA"})},
		{"right MD5 called md5", v1, with(signedV1(callback()), Param{"sign_type", "md5"})},
		{"MD5 on V2", v2, good},
		{"MD5 on V2, called RSA", v2, with(signedV1(callback()), Param{"sign_type", "RSA"})},
		{"MD5 with the public key", v2, append(callback(), Param{"sign", SignMD5(Text(callback()), platformPublicKey)}, Param{"sign_type", "MD5"})},
		{"MD5 with the public key, called RSA", v2, append(callback(), Param{"sign", SignMD5(Text(callback()), platformPublicKey)}, Param{"sign_type", "RSA"})},
		{"our own RSA key", v2, append(callback(), Param{"sign", rsaSign}, Param{"sign_type", "RSA"})},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			wantRefused(t, tt.channel, get(tt.fields), domain.ReasonWrongSignature, order)
		})
	}
}

func TestReadAcceptsSignSpellings(t *testing.T) {
	t.Parallel()
	c := newChannel(t, configV1())
	upper := signedV1(callback())
	equalNotice(t, read(t, c, get(with(upper, Param{"sign", strings.ToUpper(upper.Value("sign"))}))).Notices[0], paid())
	// bepusdt and linux-do/credit send no sign_type.
	without := signedV1(callback())
	equalNotice(t, read(t, c, get(without[:len(without)-1])).Notices[0], paid())
}

func TestReadRefusesForeignMerchant(t *testing.T) {
	t.Parallel()
	c := newChannel(t, configV1())
	for _, pid := range []string{"1002", "01001", "1001.0", "1001 ", "", "１００１"} {
		wantRefused(t, c, get(signedV1(callback(Param{"pid", pid}))), domain.ReasonForeignMerchant, order)
	}
}

// TestReadRefusesOwnForm sends back what we signed for the payer's browser.
func TestReadRefusesOwnForm(t *testing.T) {
	t.Parallel()
	c := newChannel(t, configV1())
	form, err := c.Form(goodOrder())
	if err != nil {
		t.Fatal(err)
	}
	_, query, _ := strings.Cut(form.URL, "?")
	wantRefused(t, c, getRaw(query), domain.ReasonUnreadable, string(goodOrder().OrderNo))
	wantRefused(t, c, post(query), domain.ReasonUnreadable, string(goodOrder().OrderNo))
}

func TestReadRefusesMissingFields(t *testing.T) {
	t.Parallel()
	c := newChannel(t, configV1())
	wantRefused(t, c, get(signedV1(callback(Param{"trade_status", ""}))), domain.ReasonUnreadable, order)
	wantRefused(t, c, get(signedV1(callback(Param{"money", ""}))), domain.ReasonUnreadable, order)
	wantRefused(t, c, get(signedV1(callback(Param{"out_trade_no", ""}))), domain.ReasonUnreadable, "")
	wantRefused(t, c, getRaw(""), domain.ReasonUnreadable, "")
	wantRefused(t, c, getRaw("&&&"), domain.ReasonUnreadable, "")
}

func TestReadTransport(t *testing.T) {
	t.Parallel()
	c := newChannel(t, configV1())
	body := encode(signedV1(callback()))
	change := func(r providers.Request, f func(*providers.Request)) providers.Request { f(&r); return r }
	header := func(name, value string) providers.Request {
		return change(post(body), func(r *providers.Request) { r.Header.Set(name, value) })
	}
	refused := []struct {
		name    string
		request providers.Request
		reason  domain.Reason
	}{
		{"HEAD", change(getRaw(body), func(r *providers.Request) { r.Method = http.MethodHead }), domain.ReasonWrongMethod},
		{"PUT", change(post(body), func(r *providers.Request) { r.Method = http.MethodPut }), domain.ReasonWrongMethod},
		{"get", change(getRaw(body), func(r *providers.Request) { r.Method = "get" }), domain.ReasonWrongMethod},
		{"no method", change(getRaw(body), func(r *providers.Request) { r.Method = "" }), domain.ReasonWrongMethod},
		{"GET with a body", change(getRaw(body), func(r *providers.Request) { r.Body = []byte("x=1") }), domain.ReasonUnreadable},
		{"POST, fields in the query", change(getRaw(body), func(r *providers.Request) {
			r.Method = http.MethodPost
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}), domain.ReasonUnreadable},
		{"POST, fields in both", change(post(body), func(r *providers.Request) { r.Target += "?" + body }), domain.ReasonUnreadable},
		{"POST, one more in the query", change(post(body), func(r *providers.Request) { r.Target += "?a=1" }), domain.ReasonUnreadable},
		{"gzip", header("Content-Encoding", "gzip"), domain.ReasonUnreadable},
		{"JSON", header("Content-Type", "application/json"), domain.ReasonUnreadable},
		{"multipart", header("Content-Type", "multipart/form-data; boundary=x"), domain.ReasonUnreadable},
		{"GBK", header("Content-Type", "application/x-www-form-urlencoded; charset=gbk"), domain.ReasonUnreadable},
		{"no type", change(post(body), func(r *providers.Request) { r.Header = http.Header{} }), domain.ReasonUnreadable},
		{"two types", change(post(body), func(r *providers.Request) { r.Header.Add("Content-Type", "text/plain") }), domain.ReasonUnreadable},
	}
	for _, tt := range refused {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			wantRefused(t, c, tt.request, tt.reason, order)
		})
	}
	equalNotice(t, read(t, c, header("Content-Type", "Application/X-WWW-Form-Urlencoded; charset=UTF-8")).Notices[0], paid())
	equalNotice(t, read(t, c, getRaw("&"+body+"&&")).Notices[0], paid())
	split := getRaw(body)
	split.Target = "/callbacks/epay-main"
	if got := read(t, c, split).Evidence.Target; got != "/callbacks/epay-main?"+body {
		t.Errorf("evidence lost the query: %s", got)
	}
}

func TestReadTooLarge(t *testing.T) {
	t.Parallel()
	c := newChannel(t, configV1())
	big := encode(signedV1(callback(Param{"param", strings.Repeat("x", int(c.Limit()))})))
	wantRefused(t, c, getRaw(big), domain.ReasonTooLarge, "")
	wantRefused(t, c, post(big), domain.ReasonTooLarge, "")
	most := callback()
	for i := len(most); i < maxFields-2; i++ {
		most = append(most, Param{"x" + strings.Repeat("y", i), "1"})
	}
	read(t, c, get(signedV1(most)))
	wantRefused(t, c, get(signedV1(append(most, Param{"z", "1"}))), domain.ReasonUnreadable, order)
}

func TestEvidenceKeepsTheBody(t *testing.T) {
	t.Parallel()
	c := newChannel(t, configV1())
	r := post(encode(signedV1(callback())))
	got := read(t, c, r).Evidence
	kept := bytes.Clone(r.Body)
	r.Body[0] ^= 1 // the server may use the buffer again
	if !bytes.Equal(got.Body, kept) {
		t.Error("the evidence shares the request's buffer")
	}
}
