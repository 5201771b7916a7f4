package witness

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v83"
	"github.com/stripe/stripe-go/v83/webhook"

	"counterfoil/domain"
	"counterfoil/providers"
	ours "counterfoil/providers/stripe"
	"counterfoil/sandbox/stage"
	sandbox "counterfoil/sandbox/stripe"
)

const stripeAccount = "acct_1Witness"

// stripeShop is a shop that was built with nothing but the library, at a Stripe
// that is the sandbox. Our own adapter looks on.
type stripeShop struct {
	t       *testing.T
	stage   *stage.Stage
	face    *sandbox.Face
	client  *stripe.Client
	channel *ours.Channel
	secrets []string

	mu     sync.Mutex
	events []stripe.Event
	thin   int
	errors []error
	oursNo []error // what our adapter says to the same messages
}

func newStripeShop(t *testing.T) *stripeShop {
	t.Helper()
	s := &stripeShop{t: t}
	var err error
	if s.stage, err = stage.New(stage.Config{Now: time.Now, Speed: 1e6}); err != nil {
		t.Fatal(err)
	}
	var routes http.Handler
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { routes.ServeHTTP(w, r) }))
	t.Cleanup(server.Close)
	callbacks := httptest.NewServer(http.HandlerFunc(s.callback))
	t.Cleanup(callbacks.Close)
	s.face, err = sandbox.New(s.stage, sandbox.Config{
		BaseURL: server.URL, Accounts: []sandbox.Account{{ID: stripeAccount, NotifyURL: callbacks.URL, Currency: domain.USD}},
	})
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
func (s *stripeShop) connect() {
	s.t.Helper()
	set := map[string]any{}
	for _, line := range s.face.Channels()[0].Settings {
		set[line.Name] = line.Value
	}
	key, gateway := set["api_key"].(string), set["gateway"].(string)
	s.secrets = set["webhook_secrets"].([]string)
	s.client = stripe.NewClient(key, stripe.WithBackends(stripe.NewBackendsWithConfig(&stripe.BackendConfig{
		URL: stripe.String(gateway), LeveledLogger: &stripe.LeveledLogger{Level: stripe.LevelNull}, MaxNetworkRetries: stripe.Int64(0),
	})))
	var err error
	s.channel, err = ours.New(ours.Config{
		Channel: "stripe", Gateway: gateway, AllowPlainHTTP: true, APIKey: providers.NewSecret(key), Currency: domain.USD,
		Secrets: []providers.Secret{providers.NewSecret(s.secrets[0])}, Ledger: domain.NewV5(domain.ID{}, "witness"),
	}, nil, time.Now)
	if err != nil {
		s.t.Fatal(err)
	}
}

// callback verifies an event with the library, and shows it to our adapter.
func (s *stripeShop) callback(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		s.t.Error(err)
	}
	header := r.Header.Get("Stripe-Signature")
	_, _, no := s.channel.Read(providers.Request{
		Method: r.Method, Target: r.URL.RequestURI(), Header: r.Header, Body: body, ReceivedAt: time.Now(),
	})
	event, err := webhook.ConstructEventWithOptions(body, header, s.secrets[0], webhook.ConstructEventOptions{IgnoreAPIVersionMismatch: true})
	s.mu.Lock()
	defer s.mu.Unlock()
	if strings.Contains(string(body), `"v2.core.event"`) {
		if _, err = s.client.ParseEventNotification(body, header, s.secrets[0]); err == nil {
			s.thin++
		}
	} else if err == nil {
		s.events = append(s.events, event)
	}
	if err != nil {
		s.errors = append(s.errors, err)
	}
	if no != nil {
		s.oursNo = append(s.oursNo, no)
	}
	if err != nil || no != nil {
		w.WriteHeader(http.StatusBadRequest)
	}
}

func (s *stripeShop) settle() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	if err := s.stage.Settled(ctx); err != nil {
		s.t.Fatal(err)
	}
}

// got is how many events of each type the library took, and how many messages
// it and we refused.
func (s *stripeShop) got() (types map[string]int, refused, refusedByUs int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	types = map[string]int{}
	for _, e := range s.events {
		types[string(e.Type)]++
	}
	return types, len(s.errors), len(s.oursNo)
}

// checkout makes a session by the library, with what our adapter says to pass
// on.
func (s *stripeShop) checkout(no string) string {
	s.t.Helper()
	form, err := s.channel.Form(providers.Order{OrderNo: domain.OrderNo(no), Amount: domain.NewMoney(1234, domain.USD), Subject: "VIP"})
	if err != nil {
		s.t.Fatal(err)
	}
	session, err := s.client.V1CheckoutSessions.Create(s.t.Context(), &stripe.CheckoutSessionCreateParams{
		Mode: stripe.String(form.Fields["mode"]), ClientReferenceID: stripe.String(form.Fields["client_reference_id"]),
		Metadata: map[string]string{"order_no": form.Fields["metadata[order_no]"]},
		PaymentIntentData: &stripe.CheckoutSessionCreatePaymentIntentDataParams{
			Metadata: map[string]string{"order_no": form.Fields["payment_intent_data[metadata][order_no]"]},
		},
		LineItems: []*stripe.CheckoutSessionCreateLineItemParams{{
			Quantity: stripe.Int64(1), PriceData: &stripe.CheckoutSessionCreateLineItemPriceDataParams{
				Currency: stripe.String(form.Fields["line_items[0][price_data][currency]"]), UnitAmount: stripe.Int64(1234),
				ProductData: &stripe.CheckoutSessionCreateLineItemPriceDataProductDataParams{Name: stripe.String("VIP")},
			},
		}},
	})
	if err != nil || session.AmountTotal != 1234 || session.ClientReferenceID != no {
		s.t.Fatalf("session %+v, %v", session, err)
	}
	return s.face.Orders(stage.OrderFilter{OrderNo: no})[0].ID
}

// TestStripeLife: the library makes, verifies, reads and lists everything of a
// payment's life at the sandbox, and our adapter agrees with it.
func TestStripeLife(t *testing.T) {
	t.Parallel()
	s := newStripeShop(t)
	id := s.checkout("W-1")
	if _, err := s.face.Pay(id, stage.Fault{Class: sandbox.Thin}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.face.Refund(stage.RefundOrder{ID: id, Amount: domain.NewMoney(234, domain.USD), Fails: true}); err != nil {
		t.Fatal(err)
	}
	s.settle()
	d, err := s.face.Dispute(id, domain.Money{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.face.Decide(d.ID, true); err != nil {
		t.Fatal(err)
	}
	if _, err := s.face.Payout(stage.PayoutOrder{Fails: true}); err == nil {
		t.Error("a payout of a fee")
	}
	s.settle()
	want := map[string]int{
		"checkout.session.completed": 1, "payment_intent.succeeded": 1, "refund.created": 1, "charge.refunded": 1, "refund.failed": 1,
		"charge.dispute.created": 1, "charge.dispute.funds_withdrawn": 1, "charge.dispute.closed": 1, "charge.dispute.funds_reinstated": 1,
	}
	if types, refused, byUs := s.got(); !maps.Equal(types, want) || refused != 0 || byUs != 0 || s.thin != 1 {
		t.Errorf("events %v, thin %d, refused %d (%v) and %d (%v)", types, s.thin, refused, s.errors, byUs, s.oursNo)
	}
	s.compare(id)
	s.lists()
}

// compare asks for a payment by the library and by our adapter.
func (s *stripeShop) compare(id string) {
	s.t.Helper()
	params := &stripe.PaymentIntentRetrieveParams{}
	params.AddExpand("latest_charge.refunds")
	theirs, err := s.client.V1PaymentIntents.Retrieve(s.t.Context(), id, params)
	if err != nil {
		s.t.Fatal(err)
	}
	a, err := s.channel.Query(s.t.Context(), providers.Question{TradeNo: id})
	if err != nil || !a.Found {
		s.t.Fatalf("%+v, %v", a, err)
	}
	refunds := theirs.LatestCharge.Refunds.Data
	if theirs.AmountReceived != a.Notice.Amount.Minor() || theirs.Metadata["order_no"] != a.Notice.OrderNo ||
		string(theirs.Status) != a.Notice.ProviderStatus || len(refunds) != 1 || refunds[0].ID != a.Also[0].RefundID ||
		string(refunds[0].Status) != a.Also[0].ProviderStatus || !theirs.LatestCharge.Disputed {
		s.t.Errorf("they read %+v, we %+v and %+v", theirs, a.Notice, a.Also)
	}
	if _, err := s.client.V1PaymentIntents.Retrieve(s.t.Context(), "pi_none", nil); err == nil || !strings.Contains(err.Error(), "resource_missing") {
		s.t.Errorf("nobody's payment: %v", err)
	}
}

// lists pages through events and transactions by the library, and bills the day
// by our adapter: they are the same rows.
func (s *stripeShop) lists() {
	s.t.Helper()
	events := &stripe.EventListParams{}
	events.Limit = stripe.Int64(2)
	n := 0
	for e, err := range s.client.V1Events.List(s.t.Context(), events) {
		if err != nil {
			s.t.Fatal(err)
		}
		var object struct {
			Object string `json:"object"`
		}
		if err := json.Unmarshal(e.Data.Raw, &object); err != nil || object.Object == "" {
			s.t.Errorf("event %s: %v", e.ID, err)
		}
		n++
	}
	if n != 9 {
		s.t.Errorf("%d events", n)
	}
	now := time.Now().UTC()
	var theirs []string
	rows := &stripe.BalanceTransactionListParams{}
	rows.Limit = stripe.Int64(3)
	rows.AddExpand("data.source")
	for t, err := range s.client.V1BalanceTransactions.List(s.t.Context(), rows) {
		if err != nil {
			s.t.Fatal(err)
		}
		theirs = append(theirs, fmt.Sprint(t.ID, " ", t.Net, " ", t.Source.ID))
	}
	slices.Reverse(theirs)
	day := domain.DayOf(now, time.UTC)
	var bill strings.Builder
	q := providers.BillQuestion{Kind: providers.BillFunds, Day: day, At: now.AddDate(0, 0, 3)}
	f, err := s.channel.FetchBill(s.t.Context(), q, &bill)
	if err != nil {
		s.t.Fatal(err)
	}
	var mine []string
	for l, err := range s.channel.ReadBill(strings.NewReader(bill.String()), f) {
		if err != nil {
			s.t.Fatal(err)
		}
		source := l.RefundID + l.DisputeID
		if l.Kind == domain.LinePayment {
			source = s.charge(l.TradeNo)
		}
		mine = append(mine, fmt.Sprint(l.ID, " ", l.Net.Minor(), " ", source))
	}
	if !slices.Equal(mine, theirs) || len(mine) != 5 {
		s.t.Errorf("our bill %q, their list %q", mine, theirs)
	}
}

// TestStripeBalance: money that was changed, payouts and a movement that nobody
// has a name for, as the library reads them and as our adapter does.
func TestStripeBalance(t *testing.T) {
	t.Parallel()
	s := newStripeShop(t)
	ctx := t.Context()
	id := s.checkout("W-1")
	if _, err := s.face.Pay(id, stage.Fault{Class: sandbox.Exchanged}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.face.Refund(stage.RefundOrder{ID: id, Amount: domain.NewMoney(234, domain.USD)}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.face.Move(stage.MoveOrder{Amount: domain.NewMoney(500, "EUR")}); err != nil {
		t.Fatal(err)
	}
	day := domain.DayOf(s.stage.Books(), time.UTC)
	payout, err := s.face.Payout(stage.PayoutOrder{Currency: "EUR", Fails: true})
	if err != nil {
		t.Fatal(err)
	}
	s.settle()
	if types, refused, byUs := s.got(); types["payout.created"] != 1 || types["payout.paid"] != 1 || types["payout.failed"] != 1 ||
		types["payout.reconciliation_completed"] != 1 || refused+byUs > 0 {
		t.Errorf("events %v, %v, %v", types, s.errors, s.oursNo)
	}
	theirs, err := s.client.V1Payouts.Retrieve(ctx, payout.ID, nil)
	if err != nil || !theirs.Automatic || theirs.Status != stripe.PayoutStatusFailed || theirs.Amount != payout.Amount.Minor() ||
		theirs.ReconciliationStatus != stripe.PayoutReconciliationStatusCompleted {
		t.Errorf("payout %+v, %v", theirs, err)
	}
	var named, rows int64
	inIt := map[string]bool{}
	for x, err := range s.client.V1BalanceTransactions.List(ctx, &stripe.BalanceTransactionListParams{Payout: &payout.ID}) {
		if err != nil {
			t.Fatal(err)
		}
		rows, inIt[x.ID] = rows+1, true
		if x.Type != stripe.BalanceTransactionTypePayout {
			named += x.Net
		}
		if x.ExchangeRate != 0 {
			s.changed(x)
		}
	}
	if rows != 4 || named != payout.Amount.Minor() {
		t.Errorf("the payout of %s names %d rows of %d", payout.Amount, rows, named)
	}
	s.billed(day, inIt, payout.ID)
	balance, err := s.client.V1Balance.Retrieve(ctx, nil)
	if err != nil || len(balance.Available)+len(balance.Pending) != 2 || balance.Available[0].Amount+balance.Pending[0].Amount != payout.Amount.Minor() {
		t.Errorf("balance %+v, %v", balance, err)
	}
}

// changed checks the library's reading of the rate: of the counts.
func (s *stripeShop) changed(x *stripe.BalanceTransaction) {
	s.t.Helper()
	from := map[stripe.BalanceTransactionType]float64{stripe.BalanceTransactionTypeCharge: 1234, stripe.BalanceTransactionTypeRefund: -234}[x.Type]
	if x.Currency != stripe.CurrencyEUR || float64(x.Amount)-from*x.ExchangeRate > 1 || from*x.ExchangeRate-float64(x.Amount) > 1 || from == 0 {
		s.t.Errorf("%s: %d %s at %g", x.Type, x.Amount, x.Currency, x.ExchangeRate)
	}
}

// billed reads the day's bill by our adapter: each line names the payout that
// the library found it in.
func (s *stripeShop) billed(day domain.Day, inIt map[string]bool, payout string) {
	s.t.Helper()
	var bill strings.Builder
	q := providers.BillQuestion{Kind: providers.BillFunds, Day: day, At: time.Now().AddDate(0, 0, 3)}
	f, err := s.channel.FetchBill(s.t.Context(), q, &bill)
	if err != nil {
		s.t.Fatal(err)
	}
	var kinds []domain.LineKind
	for l, err := range s.channel.ReadBill(strings.NewReader(bill.String()), f) {
		if err != nil {
			s.t.Fatal(err)
		}
		kinds = append(kinds, l.Kind)
		if inIt[l.ID] != (l.PayoutID == payout) && l.Kind != domain.LinePayoutFailed {
			s.t.Errorf("%+v", l)
		}
		if l.Kind == domain.LinePayment && (l.Amount != domain.NewMoney(1234, domain.USD) || l.FeeCurrency != "EUR") {
			s.t.Errorf("%+v", l)
		}
	}
	want := []domain.LineKind{domain.LinePayment, domain.LineRefund, domain.LineOther, domain.LinePayout, domain.LinePayoutFailed}
	if !slices.Equal(kinds, want) {
		s.t.Errorf("our bill has %v", kinds)
	}
}

func (s *stripeShop) charge(id string) string {
	p, err := s.client.V1PaymentIntents.Retrieve(s.t.Context(), id, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	return p.LatestCharge.ID
}

// TestStripeFaults: what the sandbox signs wrongly, the library refuses as we
// do; what it signs oddly, both take. A time of the future is the one thing that
// we refuse and the library does not.
func TestStripeFaults(t *testing.T) {
	t.Parallel()
	for class, want := range map[stage.Class]struct{ taken, refused, byUs int }{
		stage.Forged: {2, 5, 5}, sandbox.TwoSigns: {2, 0, 0}, sandbox.KeyOrder: {2, 0, 0}, sandbox.OldRelease: {2, 0, 0},
		stage.Rotated: {2, 0, 0}, stage.OtherPID: {4, 0, 2}, sandbox.FutureTime: {4, 0, 2},
	} {
		t.Run(string(class), func(t *testing.T) {
			t.Parallel()
			s := newStripeShop(t)
			if _, err := s.face.Pay(s.checkout("W-1"), stage.Fault{Class: class}); err != nil {
				t.Fatal(err)
			}
			s.settle()
			types, refused, byUs := s.got()
			taken := types["checkout.session.completed"] + types["payment_intent.succeeded"]
			if class == stage.Rotated {
				taken = min(taken, 2) // the attempt that hangs up may have been read
			}
			if taken != want.taken || refused != want.refused || byUs != want.byUs {
				t.Errorf("taken %v, refused %v, by us %v", types, s.errors, s.oursNo)
			}
		})
	}
}

// TestStripeSigns: the library's own helper signs, and we verify; we sign, and
// the library verifies.
func TestStripeSigns(t *testing.T) {
	t.Parallel()
	channel, body := vectorChannel(t), []byte(stripeVector)
	at := time.Unix(1771034406, 0)
	signed := webhook.GenerateTestSignedPayload(&webhook.UnsignedPayload{Payload: body, Secret: stripeSecret, Timestamp: at})
	read, _, err := channel.Read(stripeRequest(signed.Header, at))
	if err != nil || read.Notices[0].OrderNo != "20260214100000001" || read.Notices[0].Amount.String() != "10.00 CNY" {
		t.Errorf("%+v, %v", read, err)
	}
	mine := ours.Sign(body, stripeSecret, at)
	if mine != signed.Header {
		t.Errorf("we sign %s, they %s", mine, signed.Header)
	}
	if err := webhook.ValidatePayloadIgnoringTolerance(body, mine, stripeSecret); err != nil {
		t.Error(err)
	}
	other := webhook.GenerateTestSignedPayload(&webhook.UnsignedPayload{Payload: body, Secret: stripeSecret, Timestamp: at, Scheme: "v0"})
	if _, _, err := channel.Read(stripeRequest(other.Header, at)); err == nil {
		t.Error("the scheme v0 is taken")
	}
	if err := webhook.ValidatePayloadIgnoringTolerance(body, other.Header, stripeSecret); err == nil {
		t.Error("they take the scheme v0")
	}
}

const (
	stripeSecret = "whsec_test_vector_secret_000000000000"
	stripeVector = `{"id":"evt_1Pv3c7orTestVector","object":"event","api_version":"2025-11-17.clover","created":1771034406,"data":{"object":{"id":"cs_test_a1","object":"checkout.session","amount_total":1000,"currency":"cny","client_reference_id":"20260214100000001","payment_intent":"pi_3Test","payment_status":"paid","status":"complete"}},"livemode":false,"pending_webhooks":1,"request":{"id":null,"idempotency_key":null},"type":"checkout.session.completed"}`
)

func vectorChannel(t testing.TB) *ours.Channel {
	t.Helper()
	c, err := ours.New(ours.Config{
		Channel: "stripe", APIKey: providers.NewSecret("sk_test_0123456789abcdef0123"), Ledger: domain.NewV5(domain.ID{}, "witness"),
		Secrets: []providers.Secret{providers.NewSecret(stripeSecret)},
	}, nil, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func stripeRequest(header string, at time.Time) providers.Request {
	return providers.Request{
		Method: http.MethodPost, Target: "/", Header: http.Header{"Stripe-Signature": {header}}, Body: []byte(stripeVector), ReceivedAt: at,
	}
}

// BenchmarkStripe is the same event, verified and decoded, by our adapter, whose
// result has evidence and notices, and by the library.
func BenchmarkStripe(b *testing.B) {
	at := time.Unix(1771034406, 0)
	header := ours.Sign([]byte(stripeVector), stripeSecret, at)
	b.Run("ours", func(b *testing.B) {
		channel, request := vectorChannel(b), stripeRequest(header, at)
		b.ReportAllocs()
		for b.Loop() {
			if _, _, err := channel.Read(request); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("library", func(b *testing.B) {
		body := []byte(stripeVector)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := webhook.ConstructEventIgnoringTolerance(body, header, stripeSecret); err != nil {
				b.Fatal(err)
			}
		}
	})
}
