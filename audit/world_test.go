package audit_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"counterfoil/audit"
	"counterfoil/domain"
	"counterfoil/eventstore"
	esqlite "counterfoil/eventstore/sqlite"
	"counterfoil/ledger"
	osqlite "counterfoil/operations/sqlite"
	"counterfoil/projections"
	psqlite "counterfoil/projections/sqlite"
	"counterfoil/providers"
	"counterfoil/providers/epay"
	"counterfoil/sandbox"
	"counterfoil/tamperlog"
)

// The channels of the test: V1 that believes callbacks, V1 that asks first, V2.
const (
	trusting domain.ChannelID = "epay-a"
	careful  domain.ChannelID = "epay-b"
	signed   domain.ChannelID = "epay-c"

	sharedKey = "89unJUB8HZ54Hj7x4nUj56HN4nUzUJ8i"
	pid       = "1001"
)

// keyPairs are made once: RSA keys are slow to find.
var keyPairs = sync.OnceValues(func() (gateway, merchant sandbox.KeyPair) {
	gateway, err := sandbox.NewKeyPair()
	if err != nil {
		panic(err)
	}
	merchant, err = sandbox.NewKeyPair()
	if err != nil {
		panic(err)
	}
	return gateway, merchant
})

// world is an installation with a gateway that answers queries.
type world struct {
	t       testing.TB
	dir     string
	gateway *httptest.Server
	answers map[string]string // by order number: status,trade_no,money
	now     time.Time
	n       int

	events   eventstore.Store
	ops      *osqlite.Store
	rows     *psqlite.DB
	ledger   *ledger.Ledger
	keys     *audit.Remembered
	channels map[domain.ChannelID]providers.Channel
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{
		t: t, dir: t.TempDir(), answers: map[string]string{},
		now: time.Date(2026, 11, 22, 1, 0, 0, 0, time.UTC),
	}
	w.gateway = httptest.NewServer(http.HandlerFunc(w.answer))
	t.Cleanup(w.gateway.Close)
	must(t, osqlite.Create(w.file("operations.db")))
	must(t, esqlite.Create(w.file("events.db"), esqlite.Options{}))
	must(t, tamperlog.Create(w.file("tree"), w.file("tree.key"), tamperlog.Origin(domain.ID{1, 2, 3})))
	w.open()
	w.configure()
	return w
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (w *world) file(name string) string { return filepath.Join(w.dir, name) }

func (w *world) clock() time.Time { return w.now }

// beijing is the zone of draws.
var beijing = func() *time.Location {
	zone, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		panic(err)
	}
	return zone
}()

// open opens the files; the ledger is begun when the log is empty.
func (w *world) open() {
	w.t.Helper()
	must(w.t, w.tryOpen())
	w.t.Cleanup(w.close)
}

func (w *world) tryOpen() (err error) {
	ctx := context.Background()
	if w.events, err = esqlite.Open(ctx, w.file("events.db"), esqlite.Options{MinFree: -1}); err != nil {
		return err
	}
	if w.ops, err = osqlite.Open(ctx, w.file("operations.db"), osqlite.Options{Clock: w.clock}); err != nil {
		return err
	}
	if w.rows, err = psqlite.Open(w.file("projections.db"), psqlite.Config{}); err != nil {
		return err
	}
	cfg := ledger.Config{Software: "test/1", Clock: w.clock, Orders: w.rows, Zone: beijing}
	if head, _ := w.events.Head(ctx); head == 0 {
		if err := ledger.Init(ctx, w.events, domain.ID{1, 2, 3}, domain.ModeTest, cfg); err != nil {
			return err
		}
	}
	w.keys = audit.Remember(w.ops)
	if w.ledger, err = ledger.Open(ctx, w.events, w.keys, cfg); err != nil {
		return err
	}
	w.channels = map[domain.ChannelID]providers.Channel{
		trusting: w.channel(trusting, sharedKey, domain.ConfirmNever),
		careful:  w.channel(careful, sharedKey, domain.ConfirmAlways),
		signed:   w.channel(signed, "", domain.ConfirmNever),
	}
	return nil
}

func (w *world) channel(id domain.ChannelID, key string, confirm domain.ConfirmMode) providers.Channel {
	w.t.Helper()
	cfg := epay.Config{
		Channel: id, Version: epay.V1, Gateway: w.gateway.URL, PID: pid, Key: providers.NewSecret(key), Confirm: confirm,
		AllowPlainHTTP: true, Ledger: w.ledger.ID(),
	}
	if key == "" {
		gateway, merchant := keyPairs()
		cfg.Version, cfg.PlatformKey, cfg.MerchantKey = epay.V2, gateway.Public, providers.NewSecret(merchant.Private)
	}
	ch, err := epay.New(cfg, nil, w.clock)
	must(w.t, err)
	return ch
}

func (w *world) configure() {
	w.t.Helper()
	for _, id := range []domain.ChannelID{trusting, careful, signed} {
		cfg := w.channels[id].Config()
		cfg.Test = true
		must(w.t, w.ledger.Configure(w.t.Context(), cfg, ledger.By{Actor: "system", Cause: "config"}))
	}
}

func (w *world) close() {
	if w.rows != nil {
		_ = w.rows.Close()
	}
	if w.ops != nil {
		_ = w.ops.Close()
	}
	if w.events != nil {
		_ = w.events.Close()
	}
	w.rows, w.ops, w.events = nil, nil, nil
}

// copy is a closed installation in a folder of its own.
func (w *world) copy(t *testing.T) *world {
	t.Helper()
	c := &world{t: t, dir: t.TempDir(), gateway: w.gateway, answers: w.answers, now: w.now, n: w.n}
	must(t, os.CopyFS(c.dir, os.DirFS(w.dir)))
	return c
}

// later lets time pass.
func (w *world) later(d time.Duration) { w.now = w.now.Add(d) }

func (w *world) id() domain.ID {
	w.n++
	return domain.NewV5(domain.ID{9}, fmt.Sprint(w.n))
}

// yuan is an amount of money.
func yuan(t testing.TB, text string) domain.Money {
	t.Helper()
	m, err := domain.ParseMoney(text, domain.CNY)
	must(t, err)
	return m
}

func (w *world) place(ch domain.ChannelID, order, account, amount string) {
	w.t.Helper()
	_, _, err := w.ledger.Place(w.t.Context(), domain.Order{
		Channel: ch, OrderNo: domain.OrderNo(order), Account: domain.AccountID(account), Amount: yuan(w.t, amount),
		ExpiresAt: w.now.Add(2 * time.Hour),
	}, ledger.Personal{Subject: "points"}, ledger.By{Actor: "key:test", Cause: "request"})
	must(w.t, err)
}

// callback delivers a rightly signed callback and checks what it comes to.
func (w *world) callback(ch domain.ChannelID, order, trade, amount string, want domain.Outcome) {
	w.t.Helper()
	read := w.read(ch, order, trade, amount)
	for _, n := range read.Notices {
		w.notify(n, read.Evidence, w.channels[ch].Reply, want)
	}
}

func (w *world) notify(n domain.Notice, e domain.Evidence, reply func(domain.Outcome) domain.Reply, want domain.Outcome) {
	w.t.Helper()
	r, err := w.ledger.Notify(w.t.Context(), n, e, reply)
	must(w.t, err)
	if r.Verdict.Outcome != want {
		w.t.Fatalf("order %s trade %s: %s (%s), want %s", n.OrderNo, n.TradeNo, r.Verdict.Outcome, r.Verdict.Reason, want)
	}
}

func (w *world) read(ch domain.ChannelID, order, trade, amount string) providers.Read {
	w.t.Helper()
	raw := w.message(ch, order, trade, amount)
	read, refusal, err := w.channels[ch].Read(providers.Request{
		Method: "GET", Target: "/callbacks/" + string(ch) + "?" + raw, RawQuery: raw, Header: http.Header{},
		Remote: "203.0.113.9:40000", ReceivedAt: w.now, Delivery: w.id(),
	})
	if err != nil {
		w.t.Fatalf("callback refused: %+v %v", refusal, err)
	}
	return read
}

func (w *world) message(ch domain.ChannelID, order, trade, amount string) string {
	w.t.Helper()
	p := epay.Params{
		{Name: "pid", Value: pid},
		{Name: "trade_no", Value: trade},
		{Name: "out_trade_no", Value: order},
		{Name: "type", Value: "alipay"},
		{Name: "name", Value: "points"},
		{Name: "money", Value: amount},
		{Name: "trade_status", Value: "TRADE_SUCCESS"},
	}
	if ch == signed {
		p = append(p, epay.Param{Name: "timestamp", Value: fmt.Sprint(w.now.Unix())})
		gateway, _ := keyPairs()
		key, err := epay.ParsePrivateKey(gateway.Private)
		must(w.t, err)
		sign, err := epay.SignRSA(epay.Text(p), key)
		must(w.t, err)
		p = append(p, epay.Param{Name: "sign", Value: sign}, epay.Param{Name: "sign_type", Value: "RSA"})
	} else {
		p = append(p, epay.Param{Name: "sign", Value: epay.SignMD5(epay.Text(p), sharedKey)}, epay.Param{Name: "sign_type", Value: "MD5"})
	}
	parts := make([]string, len(p))
	for i, f := range p {
		parts[i] = f.Name + "=" + url.QueryEscape(f.Value)
	}
	return strings.Join(parts, "&")
}

// says sets what the gateway answers about an order.
func (w *world) says(order, status, trade, amount string) {
	w.answers[order] = strings.Join([]string{status, trade, amount}, ",")
}

func (w *world) answer(rw http.ResponseWriter, r *http.Request) {
	order := r.URL.Query().Get("out_trade_no")
	if trade := r.URL.Query().Get("trade_no"); trade != "" {
		for name, text := range w.answers {
			if strings.Split(text, ",")[1] == trade {
				order = name
			}
		}
	}
	p := strings.Split(w.answers[order], ",")
	if len(p) != 3 {
		_, _ = io.WriteString(rw, `{"code":-1,"msg":"no such order"}`)
		return
	}
	_, _ = fmt.Fprintf(rw, `{"code":1,"msg":"ok","trade_no":%q,"out_trade_no":%q,"type":"alipay","pid":%s,`+
		`"addtime":"2026-11-22 09:00:00","endtime":"2026-11-22 09:01:00","name":"points","money":%q,"status":%s}`,
		p[1], order, pid, p[2], p[0])
}

// ask asks the gateway about an order and takes the answer in.
func (w *world) ask(ch domain.ChannelID, order string, want domain.Outcome) {
	w.t.Helper()
	a, err := w.channels[ch].Query(w.t.Context(), providers.Question{OrderNo: order, Delivery: w.id(), Run: "sweep-1", At: w.now})
	must(w.t, err)
	if !a.Found {
		w.t.Fatalf("the gateway does not know %s", order)
	}
	w.notify(a.Notice, a.Evidence, nil, want)
}

// seal signs everything that is in the log.
func (w *world) seal() {
	w.t.Helper()
	must(w.t, tamperlog.NewSealer(w.events, tamperlog.Config{
		Dir: w.file("tree"), KeyFile: w.file("tree.key"), Origin: tamperlog.Origin(w.ledger.ID()), Clock: w.clock,
	}).CatchUp(context.Background(), time.Second))
}

// fold brings the projections and the tree to the head of the log.
func (w *world) fold() {
	w.t.Helper()
	w.seal()
	must(w.t, projections.NewRunner(w.events, w.rows, projections.Config{Pace: -1}).CatchUp(w.t.Context(), 0))
}

// deps is everything there is to check.
func (w *world) deps() audit.Deps {
	tree := tamperlog.OpenFolder(w.file("tree"))
	w.t.Cleanup(func() { _ = tree.Close() })
	return audit.Deps{
		Log: w.events, Ledger: w.ledger, Keys: w.keys, Channels: w.channels, Rows: w.rows, Tree: tree,
		Inspect: w.events.(*esqlite.Store).Inspect,
	}
}

// besides is what a report found but for the check c.
func besides(rep audit.Report, c audit.Check) []audit.Finding {
	return slices.DeleteFunc(slices.Clone(rep.Findings), func(f audit.Finding) bool { return f.Check == c })
}

func (w *world) verify(change ...func(*audit.Deps)) audit.Report {
	w.t.Helper()
	d := w.deps()
	for _, c := range change {
		c(&d)
	}
	rep, err := audit.Verify(w.t.Context(), d, nil)
	must(w.t, err)
	return rep
}

// live plays every way a payment can go.
func (w *world) live() {
	w.t.Helper()
	w.place(trusting, "A1", "user:1", "7.30")
	w.later(time.Second)
	w.callback(trusting, "A1", "T1", "7.30", domain.OutcomeCredited)
	for range 40 { // beyond the number that is kept one by one
		w.later(5 * time.Minute)
		w.callback(trusting, "A1", "T1", "7.30", domain.OutcomeRepeated)
	}
	w.callback(trusting, "A1", "T1b", "7.30", domain.OutcomeParked) // a second payment
	w.says("A1", "2", "T1", "7.30")
	w.ask(trusting, "A1", domain.OutcomeNoted) // refunded at the provider

	w.place(careful, "B1", "user:1", "100.00")
	w.callback(careful, "B1", "T2", "100.00", domain.OutcomeHeld)
	w.callback(careful, "B1", "T2", "100.00", domain.OutcomeHeld)
	w.says("B1", "1", "T2", "100.00")
	w.ask(careful, "B1", domain.OutcomeCredited)
	w.ask(careful, "B1", domain.OutcomeRepeated) // changes nothing, so keeps nothing

	w.place(careful, "B2", "user:2", "5.00") // its callback is lost
	w.says("B2", "1", "T3", "5.00")
	w.ask(careful, "B2", domain.OutcomeCredited)
	w.callback(careful, "B2", "T3", "5.00", domain.OutcomeRepeated)

	w.place(signed, "C1", "user:3", "0.01")
	w.callback(signed, "C1", "T4", "0.01", domain.OutcomeCredited)
	w.callback(signed, "C2", "T5", "9.99", domain.OutcomeParked) // nobody placed it
	w.later(time.Minute)
	w.place(signed, "C2", "user:3", "9.99") // and now somebody does: allocated by rule

	w.place(trusting, "A2", "user:4", "1.00")
	w.callback(trusting, "A2", "T6", "2.00", domain.OutcomeParked)
	w.correct(trusting, "A2", domain.Correction{Action: domain.ActionAllocate, TradeNo: "T6", Account: "user:4"})

	w.place(trusting, "A3", "user:5", "3.00")
	_, err := w.ledger.Cancel(w.t.Context(), trusting, "A3", "out of stock", ledger.By{Actor: "key:test", Cause: "request"})
	must(w.t, err)
	w.callback(trusting, "A3", "T7", "3.00", domain.OutcomeParked)

	w.place(trusting, "A4", "user:5", "4.00")
	w.later(3 * time.Hour)
	_, err = w.ledger.Expire(w.t.Context(), trusting, "A4", ledger.By{Actor: "reconciler", Cause: "sweep-2"})
	must(w.t, err)
	w.callback(trusting, "A4", "T8", "4.00", domain.OutcomeCredited) // late, and credited all the same
	w.place(trusting, "A5", "user:5", "1.00")
	w.callback(trusting, "A5", "T8", "1.00", domain.OutcomeCredited) // a number that A4 has, too
	w.callback(careful, "order with spaces", "T9", "6.00", domain.OutcomeParked)
	w.fold()
}

// fill places n orders more.
func (w *world) fill(n int) {
	w.t.Helper()
	var g errgroup.Group
	g.SetLimit(64)
	for i := range n {
		g.Go(func() error {
			_, _, err := w.ledger.Place(context.Background(), domain.Order{
				Channel: trusting, OrderNo: domain.OrderNo(fmt.Sprintf("fill-%d", i)), Account: "user:fill",
				Amount: domain.NewMoney(100, domain.CNY), ExpiresAt: w.now.Add(time.Hour),
			}, ledger.Personal{}, ledger.By{Actor: "key:test", Cause: "request"})
			return err
		})
	}
	must(w.t, g.Wait())
	w.fold()
}

// forge appends a credit that nothing leads to, with every hash as it must be.
func (w *world) forge(stream domain.Stream, expected eventstore.Expected) int64 {
	w.t.Helper()
	m := yuan(w.t, "3.00")
	f := domain.PaymentCredited{
		TradeNo: "T-forged", Account: "user:5", Amount: m, Source: domain.SourceCallback,
		Dates: domain.Dates{OccurredAt: w.now, ReceivedAt: w.now, ValueDate: "2026-11-22", Period: "2026-11"},
		Postings: []domain.Posting{
			{Book: domain.BookPSP(trusting), Amount: m}, {Book: domain.BookWallet, Wallet: "user:5", Amount: m.Neg()},
		},
		Rules: domain.RulesVersion,
	}
	typ, data, err := domain.EncodeFact(f)
	must(w.t, err)
	meta, err := domain.EncodeMeta(domain.Meta{RecordedAt: w.now, Actor: "system", Software: "test/1"})
	must(w.t, err)
	at, err := w.events.Append(w.t.Context(), stream, expected, []eventstore.Event{
		{ID: domain.FactID(w.ledger.ID(), stream, f), Type: typ, Data: data, Meta: meta},
	})
	must(w.t, err)
	return int64(at.Position)
}

// correct lets alice propose a correction and bob approve it.
func (w *world) correct(ch domain.ChannelID, orderNo string, q domain.Correction) {
	w.t.Helper()
	q.Reason, q.By = "agreed with the buyer", "alice"
	unspent := func(context.Context) (domain.Spent, error) { return domain.Spent{}, nil }
	p, _, err := w.ledger.Propose(w.t.Context(), ch, orderNo, q, unspent, ledger.By{Actor: "person:alice", Cause: "request-1"})
	must(w.t, err)
	_, err = w.ledger.Approve(w.t.Context(), ch, orderNo, p.ID(), "bob", "seen", unspent, ledger.By{Actor: "person:bob", Cause: "request-2"})
	must(w.t, err)
}
