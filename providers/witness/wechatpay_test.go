package witness

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/wechatpay-apiv3/wechatpay-go/core"
	"github.com/wechatpay-apiv3/wechatpay-go/core/auth/verifiers"
	"github.com/wechatpay-apiv3/wechatpay-go/core/downloader"
	"github.com/wechatpay-apiv3/wechatpay-go/core/notify"
	"github.com/wechatpay-apiv3/wechatpay-go/core/option"
	"github.com/wechatpay-apiv3/wechatpay-go/services/payments"
	"github.com/wechatpay-apiv3/wechatpay-go/services/payments/native"
	"github.com/wechatpay-apiv3/wechatpay-go/services/refunddomestic"
	"github.com/wechatpay-apiv3/wechatpay-go/utils"

	"counterfoil/domain"
	"counterfoil/providers"
	ours "counterfoil/providers/wechatpay"
	"counterfoil/sandbox/stage"
	sandbox "counterfoil/sandbox/wechatpay"
)

const wechatMerchant = "1900000109"

// wechatShop is a shop that was built with nothing but the official library, at
// a WeChat Pay that is the sandbox.
type wechatShop struct {
	t          *testing.T
	stage      *stage.Stage
	face       *sandbox.Face
	settings   map[string]any
	client     *core.Client
	downloader *downloader.CertificateDownloader

	mu       sync.Mutex
	events   []string
	payments []payments.Transaction
	refunds  []refundContent
	errors   []error
}

// refundContent is the library's way to read a refund's callback: into a struct
// of one's own.
type refundContent struct {
	OutRefundNo  string `json:"out_refund_no"`
	RefundID     string `json:"refund_id"`
	RefundStatus string `json:"refund_status"`
	Amount       struct {
		Refund int64 `json:"refund"`
	} `json:"amount"`
}

// toSandbox sends what the library sends to WeChat to the sandbox.
type toSandbox struct{ *url.URL }

func (s toSandbox) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.URL.Scheme, r.URL.Host = s.Scheme, s.URL.Host
	return http.DefaultTransport.RoundTrip(r)
}

func newWechatShop(t *testing.T) *wechatShop {
	t.Helper()
	s := &wechatShop{t: t, settings: map[string]any{}}
	var err error
	if s.stage, err = stage.New(stage.Config{Now: time.Now, Speed: 2000}); err != nil {
		t.Fatal(err)
	}
	var routes http.Handler
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { routes.ServeHTTP(w, r) }))
	t.Cleanup(server.Close)
	callbacks := httptest.NewServer(http.HandlerFunc(s.callback))
	t.Cleanup(callbacks.Close)
	s.face, err = sandbox.New(s.stage, sandbox.Config{
		BaseURL: server.URL, Merchants: []sandbox.Merchant{{MchID: wechatMerchant, NotifyURL: callbacks.URL}},
	})
	if err != nil {
		t.Fatal(err)
	}
	routes = s.face.Routes()
	for _, line := range s.face.Channels()[0].Settings {
		s.settings[line.Name] = line.Value
	}
	s.settings["notify_url"] = callbacks.URL
	address, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	s.connect(&http.Client{Transport: toSandbox{address}})
	s.stage.Start()
	t.Cleanup(s.stage.Stop)
	return s
}

// connect makes the library's clients: the certificates are downloaded first.
func (s *wechatShop) connect(over *http.Client) {
	s.t.Helper()
	key, err := utils.LoadPrivateKey(s.settings["merchant_key"].(string))
	if err != nil {
		s.t.Fatal(err)
	}
	credential := option.WithMerchantCredential(wechatMerchant, s.settings["merchant_serial"].(string), key)
	bare, err := core.NewClient(s.t.Context(), credential, option.WithHTTPClient(over), option.WithoutValidator())
	if err != nil {
		s.t.Fatal(err)
	}
	s.downloader, err = downloader.NewCertificateDownloaderWithClient(s.t.Context(), bare, s.settings["api_v3_key"].(string))
	if err != nil {
		s.t.Fatalf("the library cannot download our certificates: %v", err)
	}
	s.client, err = core.NewClient(s.t.Context(), credential, option.WithHTTPClient(over),
		option.WithVerifier(verifiers.NewSHA256WithRSAVerifier(s.downloader)))
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *wechatShop) handler() *notify.Handler {
	h, err := notify.NewRSANotifyHandler(s.settings["api_v3_key"].(string), verifiers.NewSHA256WithRSAVerifier(s.downloader))
	if err != nil {
		panic(err)
	}
	return h
}

// callback verifies and opens a callback with the library.
func (s *wechatShop) callback(w http.ResponseWriter, r *http.Request) {
	var plain json.RawMessage
	request, err := s.handler().ParseNotifyRequest(r.Context(), r, &plain)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.errors = append(s.errors, err)
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	s.events = append(s.events, request.EventType)
	if request.Resource.OriginalType == "refund" {
		var c refundContent
		s.errors = appendIf(s.errors, json.Unmarshal(plain, &c))
		s.refunds = append(s.refunds, c)
		return
	}
	var c payments.Transaction
	s.errors = appendIf(s.errors, json.Unmarshal(plain, &c))
	s.payments = append(s.payments, c)
}

func appendIf(all []error, err error) []error {
	if err != nil {
		return append(all, err)
	}
	return all
}

func (s *wechatShop) settle() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 30*time.Second)
	defer cancel()
	if err := s.stage.Settled(ctx); err != nil {
		s.t.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.errors) > 0 {
		s.t.Fatalf("the library refuses: %v", s.errors)
	}
}

// TestWechatLibraryAtTheSandbox: order, callback, query and refund, every
// signature of ours verified and every signature for us made by the official
// library.
func TestWechatLibraryAtTheSandbox(t *testing.T) {
	s := newWechatShop(t)
	ctx := t.Context()
	prepay, _, err := (&native.NativeApiService{Client: s.client}).Prepay(ctx, native.PrepayRequest{
		Appid: core.String(s.settings["appids"].([]string)[0]), Mchid: core.String(wechatMerchant),
		Description: core.String("充值"), OutTradeNo: core.String("witness-0001"), NotifyUrl: core.String(s.settings["notify_url"].(string)),
		Attach: core.String("user:7"), Amount: &native.Amount{Total: core.Int64(730), Currency: core.String("CNY")},
	})
	if err != nil || prepay.CodeUrl == nil {
		t.Fatalf("Prepay: %v, %v", prepay, err)
	}
	order := s.face.Orders(stage.OrderFilter{OrderNo: "witness-0001"})[0]
	if _, err := s.face.Pay(order.ID); err != nil {
		t.Fatal(err)
	}
	s.settle()
	if len(s.payments) != 1 || *s.payments[0].OutTradeNo != "witness-0001" || *s.payments[0].Amount.Total != 730 || *s.payments[0].TransactionId != order.ID {
		t.Errorf("the library read the callback as %v", s.payments)
	}
	asked, _, err := (&native.NativeApiService{Client: s.client}).QueryOrderByOutTradeNo(ctx, native.QueryOrderByOutTradeNoRequest{
		OutTradeNo: core.String("witness-0001"), Mchid: core.String(wechatMerchant),
	})
	if err != nil || *asked.TradeState != "SUCCESS" || *asked.Attach != "user:7" {
		t.Errorf("QueryOrderByOutTradeNo: %v, %v", asked, err)
	}
	s.refund(ctx, order.ID)
}

func (s *wechatShop) refund(ctx context.Context, tradeNo string) {
	s.t.Helper()
	api := &refunddomestic.RefundsApiService{Client: s.client}
	_, _, err := api.Create(ctx, refunddomestic.CreateRequest{
		TransactionId: core.String(tradeNo), OutRefundNo: core.String("refund-0001"),
		Amount: &refunddomestic.AmountReq{Refund: core.Int64(30), Total: core.Int64(730), Currency: core.String("CNY")},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.settle()
	if len(s.refunds) != 1 || s.refunds[0].OutRefundNo != "refund-0001" || s.refunds[0].RefundStatus != "SUCCESS" || s.refunds[0].Amount.Refund != 30 {
		s.t.Errorf("the library read the refund as %+v", s.refunds)
	}
	asked, _, err := api.QueryByOutRefundNo(ctx, refunddomestic.QueryByOutRefundNoRequest{OutRefundNo: core.String("refund-0001")})
	if err != nil || *asked.RefundId != s.refunds[0].RefundID || *asked.Amount.Refund != 30 {
		s.t.Errorf("QueryByOutRefundNo: %v, %v", asked, err)
	}
}

// TestWechatLibraryFollowsARotation: the library downloads the new certificate
// and verifies with it.
func TestWechatLibraryFollowsARotation(t *testing.T) {
	s := newWechatShop(t)
	if err := s.face.Rotate(wechatMerchant); err != nil {
		t.Fatal(err)
	}
	if err := s.downloader.DownloadCertificates(t.Context()); err != nil {
		t.Fatal(err)
	}
	o, err := s.face.Open(stage.OpenOrder{OrderNo: "witness-0002", Amount: domain.NewMoney(1, domain.CNY)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.face.Pay(o.ID); err != nil {
		t.Fatal(err)
	}
	s.settle()
	if len(s.payments) != 1 || len(s.downloader.GetAll(t.Context())) != 2 {
		t.Errorf("%d payments, %d certificates", len(s.payments), len(s.downloader.GetAll(t.Context())))
	}
}

// wechatCallback is a callback that we had no part in: sealed by the standard
// library, signed by the official one.
type wechatCallback struct {
	body   []byte
	header http.Header
	config ours.Config
}

const wechatPlain = `{"mchid":"1900000109","appid":"wxd678efh567hg6787","out_trade_no":"20260214100000001","transaction_id":"4200001234202602141234567890","trade_type":"NATIVE","trade_state":"SUCCESS","trade_state_desc":"支付成功","bank_type":"OTHERS","attach":"","success_time":"2026-02-14T10:00:05+08:00","payer":{"openid":"oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"},"amount":{"total":1000,"payer_total":1000,"currency":"CNY","payer_currency":"CNY"}}`

const (
	wechatKeyID  = "PUB_KEY_ID_0119000001092026021400000000000001"
	wechatAPIKey = "Vectors0Vectors1Vectors2Vectors3"
)

var wechatKeys = sync.OnceValue(func() [2]*rsa.PrivateKey {
	var keys [2]*rsa.PrivateKey
	for i := range keys {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		keys[i] = key
	}
	return keys
})

func newWechatCallback(t testing.TB) wechatCallback {
	t.Helper()
	block, err := aes.NewCipher([]byte(wechatAPIKey))
	if err != nil {
		t.Fatal(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	text := base64.StdEncoding.EncodeToString(gcm.Seal(nil, []byte("fdasflkja484"), []byte(wechatPlain), []byte("transaction")))
	c := wechatCallback{body: fmt.Appendf(nil, `{"id":"b5e4bd2a","create_time":"2026-02-14T10:00:06+08:00","resource_type":"encrypt-resource","event_type":"TRANSACTION.SUCCESS","summary":"支付成功","resource":{"original_type":"transaction","algorithm":"AEAD_AES_256_GCM","ciphertext":"%s","associated_data":"transaction","nonce":"fdasflkja484"}}`, text)}
	platform, merchant := wechatKeys()[0], wechatKeys()[1]
	timestamp := strconv.FormatInt(time.Now().Unix(), 10)
	sign, err := utils.SignSHA256WithRSA(timestamp+"\nnonce\n"+string(c.body)+"\n", platform)
	if err != nil {
		t.Fatal(err)
	}
	c.header = http.Header{
		"Wechatpay-Timestamp": {timestamp}, "Wechatpay-Nonce": {"nonce"}, "Wechatpay-Serial": {wechatKeyID},
		"Wechatpay-Signature": {sign}, "Wechatpay-Signature-Type": {"WECHATPAY2-SHA256-RSA2048"}, "Request-Id": {"witness"},
	}
	c.config = ours.Config{
		Channel: "witness", Protocol: ours.V3, MchID: wechatMerchant, AppIDs: []string{"wxd678efh567hg6787"},
		APIv3Key: providers.NewSecret(wechatAPIKey), MerchantKey: providers.NewSecret(pemOf(t, "PRIVATE KEY", merchant)),
		MerchantSerial: "1DDE55AD98ED71D6EDD4A4A16996DE7B47773A8C", Ledger: domain.NewV5(domain.ID{}, "witness"),
		PlatformKeys: []ours.PlatformKey{{ID: wechatKeyID, PEM: pemOf(t, "PUBLIC KEY", platform)}},
	}
	return c
}

func (c wechatCallback) channel(t testing.TB) *ours.Channel {
	t.Helper()
	ch, err := ours.New(c.config, nil, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return ch
}

func (c wechatCallback) request() providers.Request {
	return providers.Request{
		Method: http.MethodPost, Target: "/callbacks/witness", Header: c.header, Body: c.body, ReceivedAt: time.Now(),
	}
}

func (c wechatCallback) handler(t testing.TB) *notify.Handler {
	t.Helper()
	verifier := verifiers.NewSHA256WithRSAPubkeyVerifier(wechatKeyID, wechatKeys()[0].PublicKey)
	h, err := notify.NewRSANotifyHandler(wechatAPIKey, verifier)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func (c wechatCallback) httpRequest() *http.Request {
	return &http.Request{Method: http.MethodPost, Header: c.header, Body: io.NopCloser(bytes.NewReader(c.body))}
}

func TestWechatWeReadWhatTheLibrarySigns(t *testing.T) {
	c := newWechatCallback(t)
	read, refusal, err := c.channel(t).Read(c.request())
	if err != nil {
		t.Fatalf("refused with %s: %v", refusal.Reason, err)
	}
	n := read.Notices[0]
	if n.OrderNo != "20260214100000001" || n.TradeNo != "4200001234202602141234567890" || n.Amount != domain.NewMoney(1000, domain.CNY) || n.Status != domain.StatusPaid {
		t.Errorf("read as %+v", n)
	}
	var theirs payments.Transaction
	if _, err := c.handler(t).ParseNotifyRequest(t.Context(), c.httpRequest(), &theirs); err != nil || *theirs.Amount.Total != 1000 {
		t.Errorf("the library reads it as %v, %v", theirs, err)
	}
}

func BenchmarkWechatReadOurs(b *testing.B) {
	c := newWechatCallback(b)
	ch, r := c.channel(b), c.request()
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := ch.Read(r); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkWechatReadLibrary(b *testing.B) {
	c := newWechatCallback(b)
	h := c.handler(b)
	b.ReportAllocs()
	for b.Loop() {
		var content payments.Transaction
		if _, err := h.ParseNotifyRequest(context.Background(), c.httpRequest(), &content); err != nil {
			b.Fatal(err)
		}
	}
}
