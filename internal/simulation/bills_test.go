package simulation

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	randv2 "math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"counterfoil/archive/files"
	"counterfoil/domain"
	"counterfoil/eventstore/memory"
	"counterfoil/internal/assembly"
	"counterfoil/internal/config"
	"counterfoil/ledger"
	"counterfoil/operations"
	osqlite "counterfoil/operations/sqlite"
	"counterfoil/projections"
	psqlite "counterfoil/projections/sqlite"
	"counterfoil/providers"
	"counterfoil/reconcile"
	"counterfoil/sandbox/alipay"
	"counterfoil/sandbox/stage"
	"counterfoil/sandbox/stripe"
	"counterfoil/sandbox/wechatpay"
)

// mall is one installation with tills at three providers, over HTTP, each with
// its own protocol, keys and bills. Days pass when the stage says so.
type mall struct {
	t        *testing.T
	stage    *stage.Stage
	tills    []*till
	log      *memory.Store
	ops      *osqlite.Store
	rows     *psqlite.DB
	ledger   *ledger.Ledger
	channels map[domain.ChannelID]providers.Channel
	comparer *reconcile.Comparer
	banks    bool // payouts are under way, which take days
	chance   *randv2.Rand

	mu    sync.Mutex
	books time.Time // what our clock says
}

// till is one channel and its provider.
type till struct {
	face   stage.Face
	id     domain.ChannelID
	cur    domain.Currency
	zone   *time.Location
	holds  bool // what nobody placed waits for the provider's word, which its bill asks for
	serial int
	want   []string // what the bills must find
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newMall(t *testing.T, seed uint64) *mall {
	t.Helper()
	m := &mall{t: t, log: memory.New(), chance: randv2.New(randv2.NewPCG(seed, 3))}
	var err error
	m.stage, err = stage.New(stage.Config{Now: time.Now, Seed: seed, Speed: 5000})
	ok(t, err)
	shop := httptest.NewServer(http.HandlerFunc(m.callback))
	t.Cleanup(shop.Close)
	m.openFaces(shop.URL)
	m.openStores()
	m.openChannels()
	m.stage.Start()
	t.Cleanup(m.stage.Stop)
	return m
}

func (m *mall) openFaces(shop string) {
	m.t.Helper()
	routes := http.NewServeMux()
	server := httptest.NewServer(routes)
	m.t.Cleanup(server.Close)
	at := func(name string) string { return server.URL + "/" + name }
	wx, err := wechatpay.New(m.stage, wechatpay.Config{BaseURL: at(wechatpay.Name), Merchants: []wechatpay.Merchant{{MchID: "1900000109", NotifyURL: shop + "/wx"}}})
	ok(m.t, err)
	ali, err := alipay.New(m.stage, alipay.Config{BaseURL: at(alipay.Name), Merchants: []alipay.Merchant{{AppID: "2021000000000000", NotifyURL: shop + "/ali"}}})
	ok(m.t, err)
	card, err := stripe.New(m.stage, stripe.Config{BaseURL: at(stripe.Name), Accounts: []stripe.Account{{ID: "acct_1Shop", NotifyURL: shop + "/card"}}})
	ok(m.t, err)
	for id, f := range map[domain.ChannelID]stage.Face{"wx": wx, "ali": ali, "card": card} {
		routes.Handle("/"+f.Name()+"/", http.StripPrefix("/"+f.Name(), f.Routes()))
		m.tills = append(m.tills, &till{face: f, id: id})
	}
	slices.SortFunc(m.tills, func(a, b *till) int { return strings.Compare(string(a.id), string(b.id)) })
}

func (m *mall) openStores() {
	m.t.Helper()
	dir := m.t.TempDir()
	path := filepath.Join(dir, "operations.db")
	ok(m.t, osqlite.Create(path))
	var err error
	m.ops, err = osqlite.Open(m.t.Context(), path, osqlite.Options{Clock: m.now})
	ok(m.t, err)
	m.t.Cleanup(func() { _ = m.ops.Close() })
	m.rows, err = psqlite.Open(filepath.Join(dir, "projections.db"), psqlite.Config{})
	ok(m.t, err)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- projections.NewRunner(m.log, m.rows, projections.Config{Pace: -1}).Run(ctx) }()
	m.t.Cleanup(func() { stop(); <-done; _ = m.rows.Close() })
	cfg := ledger.Config{Software: "test/1", Clock: m.now, Orders: m.rows}
	m.sync()
	ok(m.t, ledger.Init(m.t.Context(), m.log, domain.ID{1, 2, 3}, domain.ModeTest, cfg))
	m.ledger, err = ledger.Open(m.t.Context(), m.log, m.ops, cfg)
	ok(m.t, err)
}

// openChannels builds the channels as an installation does: from the
// configuration that the providers tell merchants to write.
func (m *mall) openChannels() {
	m.t.Helper()
	dir := m.t.TempDir()
	text := "public_url: https://pay.example.com\nchannels:\n"
	for _, t := range m.tills {
		text += t.face.Channels()[0].YAML(string(t.id))
	}
	path := filepath.Join(dir, config.FileName)
	ok(m.t, os.WriteFile(path, []byte(text), 0o600))
	cfg, err := config.Load(path, nil)
	ok(m.t, err)
	m.channels, err = assembly.Channels(cfg, m.ledger.ID(), time.Now)
	ok(m.t, err)
	for _, t := range m.tills {
		set := m.channels[t.id].Config()
		wide := domain.DefaultTolerance()
		wide.MaxPercent = 60
		set.Test, set.Tolerance = true, &wide
		ok(m.t, m.ledger.Configure(m.t.Context(), set, ledger.By{Actor: "system", Cause: "config"}))
		t.cur, t.holds = set.Currency, set.Provider == stripe.Name
		t.zone, err = time.LoadLocation(set.Zone)
		ok(m.t, err)
	}
	kept, err := files.Open(m.t.TempDir(), files.Config{Clock: m.now})
	ok(m.t, err)
	m.comparer, err = reconcile.NewComparer(reconcile.BillDeps{
		Log: m.log, Ledger: m.ledger, Rows: m.rows, Lines: m.rows, Balances: m.rows, Leases: m.ops, Bills: m.ops, Archive: kept,
		Channels: m.channels, Logger: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry(), Clock: m.now,
	}, reconcile.BillConfig{Holder: "one", AskPerSecond: 1e6, TempDir: m.t.TempDir()})
	ok(m.t, err)
}

// fold waits until the rows have all that the log has.
func (m *mall) fold() {
	m.t.Helper()
	head, err := m.log.Head(m.t.Context())
	ok(m.t, err)
	ok(m.t, m.rows.Wait(m.t.Context(), head))
}

func (m *mall) now() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.books
}

// sync sets our clock to the time of the providers' books.
func (m *mall) sync() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.books = m.stage.Books().UTC()
}

// callback is the callback address of every channel.
func (m *mall) callback(w http.ResponseWriter, r *http.Request) {
	ch := m.channels[domain.ChannelID(strings.TrimPrefix(r.URL.Path, "/"))]
	body, _ := io.ReadAll(r.Body)
	id, _ := domain.NewRandom(rand.Reader)
	outcome := domain.OutcomeRefused
	got, _, err := ch.Read(providers.Request{
		Method: r.Method, Target: r.RequestURI, RawQuery: r.URL.RawQuery, Header: r.Header, Body: body, ReceivedAt: time.Now(), Delivery: id,
	})
	if err == nil {
		outcome = domain.OutcomeNoted
	}
	for _, n := range got.Notices {
		res, err := m.ledger.Notify(context.WithoutCancel(r.Context()), n, got.Evidence, ch.Reply)
		outcome = domain.OutcomeFailed
		if err == nil {
			outcome = res.Verdict.Outcome
		}
	}
	reply := ch.Reply(outcome)
	w.Header().Set("Content-Type", reply.ContentType)
	w.WriteHeader(reply.Status)
	_, _ = io.WriteString(w, reply.Body)
}

func (m *mall) rest() {
	m.t.Helper()
	if m.banks {
		m.quiet()
		return
	}
	ctx, stop := context.WithTimeout(m.t.Context(), time.Minute)
	defer stop()
	ok(m.t, m.stage.Settled(ctx))
}

// sell plays one payment at a till and notes what its bill must find.
func (m *mall) sell(t *till) {
	t.serial++
	no, minor := fmt.Sprintf("%s%05d", t.id, t.serial), int64(200+m.chance.IntN(9800))
	amount := domain.NewMoney(minor, t.cur)
	kind := m.chance.IntN(16)
	if kind != 0 { // else nobody placed it
		_, _, err := m.ledger.Place(m.t.Context(), domain.Order{
			Channel: t.id, OrderNo: domain.OrderNo(no), Account: "user:1", Amount: amount, ExpiresAt: m.now().Add(2 * time.Hour),
		}, ledger.Personal{}, ledger.By{Actor: "key:test"})
		ok(m.t, err)
	}
	o, err := t.face.Open(stage.OpenOrder{OrderNo: no, Amount: amount, Subject: "积分", Attach: "user:1"})
	ok(m.t, err)
	lost := kind == 1 || kind == 2
	fault := stage.Fault{}
	switch {
	case lost:
		fault.Class = stage.Lost
	case kind == 3:
		fault.Class = stage.OtherAmount
	case kind == 4:
		fault.Class = stage.Repeated
	}
	_, err = t.face.Pay(o.ID, fault)
	ok(m.t, err)
	switch {
	case lost:
		t.want = append(t.want, "missing_credit resolved "+no)
	case kind == 0 && t.holds:
		t.want = append(t.want, "status_mismatch resolved "+no)
	}
	if d, disputes := t.face.(stage.Disputer); disputes && kind >= 10 && kind < 13 {
		m.dispute(d, o.ID, kind)
	}
	if kind < 13 {
		return
	}
	refund := stage.RefundOrder{ID: o.ID, Amount: domain.NewMoney(minor/2, t.cur), No: "R" + no}
	m.rest()
	m.fold() // some refunds name their payment only, and whose that is the rows know
	if kind == 13 {
		refund.Fault.Class = stage.Lost
		t.want = append(t.want, "refund_missing resolved "+no)
	}
	_, err = t.face.Refund(refund)
	ok(m.t, err)
}

// dispute lets a payer's bank claim a payment back, and decides it or not.
func (m *mall) dispute(d stage.Disputer, id string, kind int) {
	m.t.Helper()
	m.rest()
	m.fold()
	found, err := d.Dispute(id, domain.Money{})
	ok(m.t, err)
	m.rest()
	m.fold()
	if kind < 12 {
		_, err = d.Decide(found.ID, kind == 11)
		ok(m.t, err)
	}
}

// day goes to eleven in the morning of the next day in China and compares what
// is over at each till.
func (m *mall) day(check bool) {
	m.t.Helper()
	m.rest()
	over := m.stage.Books()
	ok(m.t, m.stage.Advance(domain.DayOf(over, stage.China).Add(1).Start(stage.China).Add(11*time.Hour).Sub(over)))
	m.rest()
	m.sync()
	for _, t := range m.tills {
		run, err := m.comparer.Run(m.t.Context(), t.id, domain.DayOf(over, t.zone), m.comparer.BillsOf(t.id)[0])
		ok(m.t, err)
		if check && (run.State != operations.RunComplete || run.Differing != 0) {
			m.t.Errorf("%s: %+v", t.id, run)
		}
	}
}

// Days at three providers, each over its own protocol: what a bill shows to be
// lost is found with its kind and mended from the provider's answer, nothing is
// invented, and the books and the providers' agree to the cent.
func TestBillsOfThreeProviders(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("long")
	}
	for _, seed := range []uint64{1, 2} {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			m := newMall(t, seed)
			m.day(false) // to eleven o'clock
			for range 4 {
				for range 25 {
					for _, till := range m.tills {
						m.sell(till)
					}
				}
				m.day(true)
			}
			m.day(true) // what stood on the neighbour's bill
			m.judge()
		})
	}
}

func (m *mall) judge() {
	m.t.Helper()
	m.fold()
	books, err := m.rows.TrialBalance(m.t.Context())
	ok(m.t, err)
	for _, t := range m.tills {
		rows, err := m.ops.Discrepancies(m.t.Context(), operations.DiscrepancyFilter{Channel: t.id, Limit: 1000})
		ok(m.t, err)
		var got []string
		for _, d := range rows {
			got = append(got, fmt.Sprintf("%s %s %s", d.Kind, d.State, d.OrderNo))
		}
		slices.Sort(got)
		slices.Sort(t.want)
		if !slices.Equal(got, t.want) {
			m.t.Errorf("%s: found\n  %s\nwant\n  %s", t.id, strings.Join(got, "\n  "), strings.Join(t.want, "\n  "))
		}
		m.balanced(t, books)
	}
}

// balanced holds our books at a till against the truth: what stands there, what
// disputes keep away and what fees took is what came.
func (m *mall) balanced(t *till, books map[string][]domain.Money) {
	m.t.Helper()
	truth, held := domain.NewMoney(0, t.cur), domain.NewMoney(0, t.cur)
	disputes := 0
	var err error
	for _, b := range t.face.Books() {
		for _, p := range b.Payments {
			truth, err = truth.Add(p.Amount)
			ok(m.t, err)
			for _, r := range p.Refunds {
				if !r.Failed {
					truth, err = truth.Sub(r.Amount)
					ok(m.t, err)
				}
			}
			for _, d := range p.Disputes {
				disputes++
				if d.State == stage.DisputeLost {
					truth, err = truth.Sub(d.Amount)
					ok(m.t, err)
				}
			}
		}
	}
	for _, book := range []string{"assets:psp:", "expenses:fee:", "assets:disputes:", "expenses:dispute-fee:"} {
		for _, money := range books[book+string(t.id)] {
			held, err = held.Add(money)
			ok(m.t, err)
		}
	}
	if _, can := t.face.(stage.Disputer); can != (disputes > 0) {
		m.t.Errorf("%s: %d disputes were played", t.id, disputes)
	}
	if held != truth {
		m.t.Errorf("%s: our books have %s at the provider and in fees, the truth is %s", t.id, held, truth)
	}
}
