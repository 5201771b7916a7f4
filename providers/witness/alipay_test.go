package witness

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/smartwalle/alipay/v3"
	"github.com/smartwalle/nsign"

	"counterfoil/domain"
	"counterfoil/providers"
	ours "counterfoil/providers/alipay"
	sandbox "counterfoil/sandbox/alipay"
	"counterfoil/sandbox/stage"
)

const alipayApp = "2021000000000000"

// alipayShop is a shop that was built with nothing but the library, at an
// Alipay that is the sandbox. Our own adapter looks on.
type alipayShop struct {
	t       *testing.T
	stage   *stage.Stage
	face    *sandbox.Face
	base    string
	client  *alipay.Client
	channel *ours.Channel
	notify  string

	mu     sync.Mutex
	notes  []*alipay.Notification
	errors []error
	oursNo []error // what our adapter says to the same messages
}

func newAlipayShop(t *testing.T) *alipayShop {
	t.Helper()
	s := &alipayShop{t: t}
	var err error
	if s.stage, err = stage.New(stage.Config{Now: time.Now, Speed: 20000}); err != nil {
		t.Fatal(err)
	}
	var routes http.Handler
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { routes.ServeHTTP(w, r) }))
	t.Cleanup(server.Close)
	callbacks := httptest.NewServer(http.HandlerFunc(s.callback))
	t.Cleanup(callbacks.Close)
	s.base, s.notify = server.URL, callbacks.URL
	s.face, err = sandbox.New(s.stage, sandbox.Config{BaseURL: server.URL, Merchants: []sandbox.Merchant{{AppID: alipayApp, NotifyURL: callbacks.URL}}})
	if err != nil {
		t.Fatal(err)
	}
	routes = s.face.Routes()
	s.connect()
	s.stage.Start()
	t.Cleanup(s.stage.Stop)
	return s
}

// connect makes the library's client and our channel of one and the same
// configuration.
func (s *alipayShop) connect() {
	s.t.Helper()
	set := map[string]any{}
	for _, line := range s.face.Channels()[0].Settings {
		set[line.Name] = line.Value
	}
	var err error
	s.client, err = alipay.New(alipayApp, set["app_key"].(string), true, alipay.WithProductionGateway(set["gateway"].(string)),
		alipay.WithTimeLocation(stage.China))
	if err != nil {
		s.t.Fatal(err)
	}
	keys := set["alipay_keys"].([]string)
	if err := s.client.LoadAliPayPublicKey(keys[len(keys)-1]); err != nil {
		s.t.Fatal(err)
	}
	s.channel, err = ours.New(ours.Config{
		Channel: "alipay", Gateway: set["gateway"].(string), AllowPlainHTTP: true, AppID: alipayApp, SellerID: set["seller_id"].(string),
		AppKey: providers.NewSecret(set["app_key"].(string)), AlipayKeys: keys,
	}, nil, time.Now)
	if err != nil {
		s.t.Fatal(err)
	}
}

// callback verifies a notice with the library, and shows it to our adapter.
func (s *alipayShop) callback(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		s.t.Error(err)
	}
	values, err := url.ParseQuery(string(body))
	if err != nil {
		s.t.Error(err)
	}
	_, _, no := s.channel.Read(providers.Request{Method: r.Method, Target: r.URL.RequestURI(), Header: r.Header, Body: body})
	note, err := s.client.DecodeNotification(values)
	s.mu.Lock()
	defer s.mu.Unlock()
	if no != nil {
		s.oursNo = append(s.oursNo, no)
	}
	if err != nil {
		s.errors = append(s.errors, err)
		io.WriteString(w, "fail") //nolint:errcheck // comes again
		return
	}
	s.notes = append(s.notes, note)
	alipay.ACKNotification(w)
}

func (s *alipayShop) settle() {
	s.t.Helper()
	if err := s.stage.Settled(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
}

// pay orders by the library's own form, walks to the pay page and pays.
func (s *alipayShop) pay(orderNo, subject string, faults ...stage.Fault) string {
	s.t.Helper()
	var order alipay.TradePagePay
	order.NotifyURL, order.ReturnURL = s.notify, "https://shop.example.com/back"
	order.OutTradeNo, order.Subject, order.TotalAmount, order.ProductCode = orderNo, subject, "10.00", "FAST_INSTANT_TRADE_PAY"
	order.PassbackParams = url.QueryEscape("u:7")
	address, err := s.client.TradePagePay(order)
	if err != nil {
		s.t.Fatal(err)
	}
	browser := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	page, err := browser.Get(address.String())
	if err != nil {
		s.t.Fatal(err)
	}
	page.Body.Close()
	id := strings.TrimPrefix(page.Header.Get("Location"), s.base+"/pay/")
	if page.StatusCode != http.StatusFound || len(id) != 28 {
		s.t.Fatalf("the sandbox does not take the library's order: %d %v", page.StatusCode, page.Header)
	}
	if _, err := s.face.Pay(id, faults...); err != nil {
		s.t.Fatal(err)
	}
	s.settle()
	return id
}

// TestAlipayLibraryAtTheSandbox: order, notice, query, refund, refund query,
// close and bill, all by the library.
func TestAlipayLibraryAtTheSandbox(t *testing.T) {
	t.Parallel()
	s := newAlipayShop(t)
	ctx := t.Context()
	if got, err := s.client.TradeQuery(ctx, alipay.TradeQuery{OutTradeNo: "A1"}); err != nil || got.SubCode != "ACQ.TRADE_NOT_EXIST" {
		t.Errorf("before: %+v, %v", got, err)
	}
	id := s.pay("A1", "测试商品+1 & more")
	if len(s.errors) > 0 || len(s.notes) != 1 {
		t.Fatalf("notices %+v, %v", s.notes, s.errors)
	}
	if n := s.notes[0]; n.TradeNo != id || n.TradeStatus != alipay.TradeStatusSuccess || n.TotalAmount != "10.00" || n.Subject != "测试商品+1 & more" ||
		n.PassbackParams != "u%3A7" || n.AppId != alipayApp {
		t.Errorf("%+v", n)
	}
	query, err := s.client.TradeQuery(ctx, alipay.TradeQuery{OutTradeNo: "A1"})
	if err != nil || query.TradeStatus != alipay.TradeStatusSuccess || query.TradeNo != id || query.TotalAmount != "10.00" {
		t.Errorf("query %+v, %v", query, err)
	}
	refund, err := s.client.TradeRefund(ctx, alipay.TradeRefund{OutTradeNo: "A1", RefundAmount: "4.00", OutRequestNo: "R1"})
	if err != nil || refund.FundChange != "Y" || refund.RefundFee != "4.00" {
		t.Errorf("refund %+v, %v", refund, err)
	}
	s.settle()
	if n := s.notes[len(s.notes)-1]; len(s.notes) != 2 || n.RefundFee != "4.00" || n.OutBizNo != "R1" || n.TradeStatus != alipay.TradeStatusSuccess {
		t.Errorf("refund's notice %+v", n)
	}
	found, err := s.client.TradeFastPayRefundQuery(ctx, alipay.TradeFastPayRefundQuery{OutTradeNo: "A1", OutRequestNo: "R1"})
	if err != nil || found.RefundStatus != "REFUND_SUCCESS" || found.RefundAmount != "4.00" {
		t.Errorf("refund query %+v, %v", found, err)
	}
	if got, err := s.client.TradeClose(ctx, alipay.TradeClose{OutTradeNo: "A1"}); err != nil || got.SubCode != "ACQ.TRADE_STATUS_ERROR" {
		t.Errorf("close %+v, %v", got, err)
	}
	if err := s.stage.Advance(36 * time.Hour); err != nil {
		t.Fatal(err)
	}
	day := string(domain.DayOf(time.Now(), stage.China))
	bill, err := s.client.BillDownloadURLQuery(ctx, alipay.BillDownloadURLQuery{BillType: "trade", BillDate: day})
	if err != nil || !strings.HasPrefix(bill.BillDownloadURL, s.base) {
		t.Errorf("bill %+v, %v", bill, err)
	}
	if len(s.oursNo) > 0 {
		t.Errorf("our adapter refused: %v", s.oursNo)
	}
}

// TestAlipayAccountBill: the library asks where the bill of the account is; what
// lies there, our adapter reads.
func TestAlipayAccountBill(t *testing.T) {
	t.Parallel()
	s := newAlipayShop(t)
	s.pay("A1", "一,二 😀", stage.Fault{Class: sandbox.Coupon, Money: "1.00"})
	if _, err := s.face.Payout(stage.PayoutOrder{Amount: domain.NewMoney(500, domain.CNY)}); err != nil {
		t.Fatal(err)
	}
	day := domain.DayOf(s.stage.Books(), stage.China)
	if err := s.stage.Advance(36 * time.Hour); err != nil {
		t.Fatal(err)
	}
	for kind, want := range map[string]string{
		"trade":        "payment 10.00 CNY (1.00 CNY)",
		"signcustomer": "payment 9.00 CNY (no money), fee 0.05 CNY (no money), payout 5.00 CNY (no money)",
	} {
		bill, err := s.client.BillDownloadURLQuery(t.Context(), alipay.BillDownloadURLQuery{BillType: kind, BillDate: string(day)})
		if err != nil || bill.BillDownloadURL == "" {
			t.Fatalf("%s: %+v, %v", kind, bill, err)
		}
		got, err := http.Get(bill.BillDownloadURL)
		if err != nil {
			t.Fatal(err)
		}
		q := providers.BillQuestion{Kind: map[string]providers.BillKind{"trade": providers.BillTrade, "signcustomer": providers.BillFunds}[kind], Day: day}
		var lines []string
		for l, err := range s.channel.ReadBill(got.Body, providers.BillFile{Question: q}) {
			if err != nil {
				t.Fatal(err)
			}
			lines = append(lines, fmt.Sprintf("%s %s (%s)", l.Kind, l.Amount, l.Discount))
		}
		got.Body.Close()
		if text := strings.Join(lines, ", "); text != want {
			t.Errorf("%s: %s", kind, text)
		}
	}
}

// TestAlipayFaultsInTwoPairsOfEyes: where the library and our adapter agree
// about what the sandbox plants, and the one place where they do not: a text
// signed without its empty values, which other libraries take.
func TestAlipayFaultsInTwoPairsOfEyes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		class      stage.Class
		taken      int // by the library
		refused    int // by the library
		oursRefuse int
	}{
		{sandbox.OddSubject, 1, 0, 0},
		{sandbox.EmptySigned, 1, 0, 0},
		{sandbox.EmptyUnsigned, 0, 8, 0},
		{sandbox.GBK, 1, 0, 0},
		{sandbox.Finished, 2, 0, 0},
		// A sign_type that was changed on the way is not looked at by the library.
		{stage.Forged, 2, 4, 5},
		// The return's fields are signed with the same key: a notice without a
		// trade_status is for the shop to notice.
		{sandbox.ReturnReplay, 3, 0, 2},
		// Nor whose notice it is: that check is the shop's.
		{stage.OtherPID, 2, 0, 1},
	} {
		t.Run(string(tt.class), func(t *testing.T) {
			t.Parallel()
			s := newAlipayShop(t)
			s.pay("A1", "会员", stage.Fault{Class: tt.class})
			if len(s.notes) != tt.taken || len(s.errors) != tt.refused || len(s.oursNo) != tt.oursRefuse {
				t.Errorf("taken %d, refused %d %v; ours refused %d %v", len(s.notes), len(s.errors), s.errors, len(s.oursNo), s.oursNo)
			}
		})
	}
}

// TestAlipayKeyChange: after Alipay's key changed, the library with the new one
// and our adapter with both read on.
func TestAlipayKeyChange(t *testing.T) {
	t.Parallel()
	s := newAlipayShop(t)
	if err := s.face.Rotate(alipayApp); err != nil {
		t.Fatal(err)
	}
	s.connect()
	s.pay("A1", "会员")
	if len(s.notes) != 1 || len(s.errors)+len(s.oursNo) > 0 {
		t.Errorf("%+v, %v, %v", s.notes, s.errors, s.oursNo)
	}
}

// alipayNotice is a notice that the library signed, and a channel for it.
type alipayNotice struct {
	body    string
	client  *alipay.Client
	channel *ours.Channel
}

func newAlipayNotice(t testing.TB) alipayNotice {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	app, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	values := url.Values{
		"app_id": {alipayApp}, "auth_app_id": {alipayApp}, "buyer_id": {"2088102116773037"}, "buyer_pay_amount": {"10.00"}, "charset": {"utf-8"},
		"fund_bill_list": {`[{"amount":"10.00","fundChannel":"ALIPAYACCOUNT"}]`}, "gmt_create": {"2026-02-14 10:00:00"},
		"gmt_payment": {"2026-02-14 10:00:05"}, "invoice_amount": {"10.00"}, "notify_id": {"2026021400222100006077031234567890"},
		"notify_time": {"2026-02-14 10:00:06"}, "notify_type": {"trade_status_sync"}, "out_trade_no": {"20260214100000001"},
		"point_amount": {"0.00"}, "receipt_amount": {"10.00"}, "seller_id": {"2088102119685838"}, "subject": {"测试商品+1 & more"},
		"total_amount": {"10.00"}, "trade_no": {"2026021422001473037000123456"}, "trade_status": {"TRADE_SUCCESS"}, "version": {"1.0"},
	}
	signer := nsign.New(nsign.WithMethod(nsign.NewRSAMethod(crypto.SHA256, key, nil)), nsign.WithEncoder(&alipay.Encoder{}))
	sign, err := signer.SignValues(values)
	if err != nil {
		t.Fatal(err)
	}
	values.Set("sign", base64.StdEncoding.EncodeToString(sign))
	values.Set("sign_type", "RSA2")
	n := alipayNotice{body: values.Encode()}
	if n.client, err = alipay.New(alipayApp, pemOf(t, "PRIVATE KEY", app), true); err != nil {
		t.Fatal(err)
	}
	if err := n.client.LoadAliPayPublicKey(pemOf(t, "PUBLIC KEY", key)); err != nil {
		t.Fatal(err)
	}
	n.channel, err = ours.New(ours.Config{
		Channel: "alipay", AppID: alipayApp, SellerID: "2088102119685838", AppKey: providers.NewSecret(pemOf(t, "PRIVATE KEY", app)),
		AlipayKeys: []string{pemOf(t, "PUBLIC KEY", key)},
	}, nil, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func (n alipayNotice) request() providers.Request {
	return providers.Request{
		Method: http.MethodPost, Target: "/callbacks/alipay", Header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}},
		Body: []byte(n.body),
	}
}

// TestAlipayLibrarySignsWhatWeVerify: a notice that the library signed.
func TestAlipayLibrarySignsWhatWeVerify(t *testing.T) {
	t.Parallel()
	n := newAlipayNotice(t)
	read, refusal, err := n.channel.Read(n.request())
	if err != nil || len(read.Notices) != 1 || read.Notices[0].Status != domain.StatusPaid || read.Notices[0].Amount.String() != "10.00 CNY" {
		t.Errorf("%+v, %+v, %v", read.Notices, refusal, err)
	}
	changed := n.request()
	changed.Body = []byte(strings.Replace(n.body, "10.00", "10.01", 1))
	if _, _, err := n.channel.Read(changed); domain.KindOf(err) != domain.KindForged {
		t.Errorf("changed: %v", err)
	}
}

// TestAlipayCertificateMode: the library and our adapter name the same
// certificates.
func TestAlipayCertificateMode(t *testing.T) {
	t.Parallel()
	app, root, second := alipayCert(t, 7), alipayCert(t, 8), alipayCert(t, 9)
	appKey := pemOf(t, "PRIVATE KEY", app.key)
	client, err := alipay.New(alipayApp, appKey, true)
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{
		client.LoadAppCertPublicKey(app.pem), client.LoadAliPayRootCert(root.pem + second.pem), client.LoadAlipayCertPublicKey(root.pem),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	channel, err := ours.New(ours.Config{
		Channel: "alipay", AppID: alipayApp, SellerID: "2088102119685838", AppKey: providers.NewSecret(appKey), AppCert: app.pem,
		RootCert: root.pem + second.pem, AlipayKeys: []string{root.pem},
	}, nil, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	form, err := channel.Form(providers.Order{OrderNo: "A1", Amount: domain.NewMoney(1, domain.CNY), Subject: "x", NotifyURL: "https://shop.example.com/n"})
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := client.URLValues(alipay.TradeQuery{OutTradeNo: "A1"})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"app_cert_sn", "alipay_root_cert_sn"} {
		if form.Fields[name] == "" || form.Fields[name] != theirs.Get(name) {
			t.Errorf("%s is %q, the library says %q", name, form.Fields[name], theirs.Get(name))
		}
	}
}

type alipayCertificate struct {
	key *rsa.PrivateKey
	pem string
}

func alipayCert(t *testing.T, serial int64) alipayCertificate {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), NotAfter: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC),
		Subject: pkix.Name{CommonName: "Ant Financial, Test", OrganizationalUnit: []string{"CA"}, Organization: []string{"Ant"}, Country: []string{"CN"}},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return alipayCertificate{key, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))}
}

// BenchmarkAlipayReadOurs reads a notice from its bytes to what it says, with
// its evidence.
func BenchmarkAlipayReadOurs(b *testing.B) {
	n := newAlipayNotice(b)
	r := n.request()
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := n.channel.Read(r); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkAlipayReadLibrary reads the same bytes with the library.
func BenchmarkAlipayReadLibrary(b *testing.B) {
	n := newAlipayNotice(b)
	b.ReportAllocs()
	for b.Loop() {
		values, err := url.ParseQuery(n.body)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := n.client.DecodeNotification(values); err != nil {
			b.Fatal(err)
		}
	}
}
