package reconcile

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	randv2 "math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"counterfoil/archive/files"
	"counterfoil/domain"
	"counterfoil/ledger"
	"counterfoil/operations"
	"counterfoil/providers"
	"counterfoil/providers/wechatpay"
	facewx "counterfoil/sandbox/wechatpay"

	"counterfoil/sandbox/stage"
)

// weixin is an installation at WeChat Pay as the sandbox plays it: true
// signatures, true bills.
type weixin struct {
	*world
	stage    *stage.Stage
	face     *facewx.Face
	channel  *wechatpay.Channel
	comparer *Comparer
	chance   *randv2.Rand
	serial   int
	want     []string // what the bills must find
}

const atWeChat domain.ChannelID = "wechat-a"

func newWeixin(t *testing.T, seed uint64) *weixin {
	t.Helper()
	x := &weixin{world: newWorld(t), chance: randv2.New(randv2.NewPCG(seed, 7))}
	var err error
	x.stage, err = stage.New(stage.Config{Now: time.Now, Seed: seed, Speed: 2000})
	must(t, err)
	var routes http.Handler
	gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { routes.ServeHTTP(w, r) }))
	t.Cleanup(gateway.Close)
	shop := httptest.NewServer(http.HandlerFunc(x.take))
	t.Cleanup(shop.Close)
	x.face, err = facewx.New(x.stage, facewx.Config{BaseURL: gateway.URL + "/wechatpay", Merchants: []facewx.Merchant{{MchID: "1900000109", NotifyURL: shop.URL}}})
	must(t, err)
	routes = http.StripPrefix("/wechatpay", x.face.Routes())
	x.channel, err = wechatpay.New(x.config(), nil, x.stage.Now)
	must(t, err)
	x.stage.Start()
	t.Cleanup(x.stage.Stop)
	x.sync()
	set, wide := x.channel.Config(), domain.DefaultTolerance()
	wide.MaxPercent = 60
	set.Tolerance = &wide
	must(t, x.ledger.Configure(t.Context(), set, ledger.By{Actor: "system", Cause: "config"}))
	kept, err := files.Open(t.TempDir(), files.Config{Clock: x.clock.now})
	must(t, err)
	x.comparer, err = NewComparer(BillDeps{
		Log: x.log, Ledger: x.ledger, Rows: folding{x.rows, x.world}, Lines: x.rows, Balances: x.rows, Leases: x.ops, Bills: x.ops, Archive: kept,
		Channels: map[domain.ChannelID]providers.Channel{atWeChat: x.channel}, Logger: slog.New(slog.DiscardHandler),
		Metrics: prometheus.NewRegistry(), Clock: x.clock.now,
	}, BillConfig{Holder: "one", AskPerSecond: 1e6, TempDir: t.TempDir()})
	must(t, err)
	return x
}

// config is the channel, made of what the face says that it needs.
func (x *weixin) config() wechatpay.Config {
	cfg := wechatpay.Config{Channel: atWeChat, Ledger: x.ledger.ID(), Test: true, AllowPlainHTTP: true}
	for _, s := range x.face.Channels()[0].Settings {
		text, _ := s.Value.(string)
		switch s.Name {
		case "protocol":
			cfg.Protocol = text
		case "gateway":
			cfg.Gateway = text
		case "mchid":
			cfg.MchID = text
		case "appids":
			cfg.AppIDs, _ = s.Value.([]string)
		case "api_v3_key":
			cfg.APIv3Key = providers.NewSecret(text)
		case "merchant_key":
			cfg.MerchantKey = providers.NewSecret(text)
		case "merchant_serial":
			cfg.MerchantSerial = text
		case "platform_keys":
			keys, _ := s.Value.(map[string]string)
			for id, pem := range keys {
				cfg.PlatformKeys = append(cfg.PlatformKeys, wechatpay.PlatformKey{ID: id, PEM: pem})
			}
		}
	}
	return cfg
}

// sync sets our clock to the books' time.
func (x *weixin) sync() {
	x.clock.mu.Lock()
	defer x.clock.mu.Unlock()
	x.clock.at = x.stage.Books().UTC()
}

// take is the callback address.
func (x *weixin) take(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	id, _ := domain.NewRandom(rand.Reader)
	outcome := domain.OutcomeRefused
	got, _, err := x.channel.Read(providers.Request{
		Method: r.Method, Target: r.RequestURI, RawQuery: r.URL.RawQuery, Header: r.Header, Body: body, ReceivedAt: time.Now(), Delivery: id,
	})
	if err == nil {
		outcome = domain.OutcomeNoted
	}
	for _, n := range got.Notices {
		res, err := x.ledger.Notify(context.WithoutCancel(r.Context()), n, got.Evidence, x.channel.Reply)
		outcome = domain.OutcomeFailed
		if err == nil {
			outcome = res.Verdict.Outcome
		}
	}
	reply := x.channel.Reply(outcome)
	w.WriteHeader(reply.Status)
	_, _ = io.WriteString(w, reply.Body)
}

func (x *weixin) rest() {
	x.t.Helper()
	ctx, stop := context.WithTimeout(x.t.Context(), time.Minute)
	defer stop()
	must(x.t, x.stage.Settled(ctx))
}

// one plays one payment of some kind and notes what the bill must find.
func (x *weixin) one() {
	x.serial++
	no, fen := fmt.Sprintf("WX%05d", x.serial), int64(100+x.chance.IntN(9900))
	kind := x.chance.IntN(20)
	if kind != 0 {
		x.placeOnly(atWeChat, no, domain.NewMoney(fen, domain.CNY).Amount())
	}
	o, err := x.face.Open(stage.OpenOrder{OrderNo: no, Amount: domain.NewMoney(fen, domain.CNY), Subject: "积分", Attach: "user:1"})
	must(x.t, err)
	faults := map[int]stage.Fault{1: {Class: stage.Lost}, 2: {Class: stage.Lost}, 3: {Class: stage.OtherAmount}, 4: {Class: stage.Repeated}}
	paid, err := x.face.Pay(o.ID, faults[kind])
	must(x.t, err)
	lostBefore := kind == 1 || kind == 2
	if lostBefore {
		x.want = append(x.want, "missing_credit resolved "+paid.ID+"/")
	}
	if kind >= 17 {
		refund, err := x.face.Refund(stage.RefundOrder{ID: o.ID, Amount: domain.NewMoney(fen/2, domain.CNY), No: "R" + no, Fault: map[int]stage.Fault{17: {Class: stage.Lost}}[kind]})
		must(x.t, err)
		x.rest()
		if kind == 17 {
			x.want = append(x.want, "refund_missing resolved "+paid.ID+"/"+refund.ID)
		}
	}
}

// next goes to eleven o'clock of the next day and compares the bill of the day
// that is over.
func (x *weixin) next() operations.BillRun {
	x.t.Helper()
	x.rest()
	day := domain.DayOf(x.stage.Books(), stage.China)
	must(x.t, x.stage.Advance(day.Add(1).Start(stage.China).Add(11*time.Hour).Sub(x.stage.Books())))
	x.rest()
	x.sync()
	x.fold()
	run, err := x.comparer.Run(x.t.Context(), atWeChat, day, string(providers.BillTrade))
	must(x.t, err)
	return run
}

// Days at WeChat Pay, through its true protocol: what its bills show to be lost
// is found with its kind and mended from its answers, nothing is invented, and
// at the end our books and the provider's agree to the cent.
func TestDaysAtWeChatPay(t *testing.T) {
	t.Parallel()
	for _, seed := range []uint64{1, 2} {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			x := newWeixin(t, seed)
			x.next() // to eleven o'clock of a day
			for range 5 {
				for range 30 {
					x.one()
				}
				if run := x.next(); run.State != operations.RunComplete || run.Differing != 0 || run.Matched+int64(len(run.Kinds)) == 0 {
					t.Fatalf("%+v", run)
				}
			}
			x.judge()
		})
	}
}

// judge compares all that was found with what was played, and the books with
// the provider's.
func (x *weixin) judge() {
	x.t.Helper()
	rows, err := x.ops.Discrepancies(x.t.Context(), operations.DiscrepancyFilter{Limit: 1000})
	must(x.t, err)
	var got []string
	for _, d := range rows {
		got = append(got, fmt.Sprintf("%s %s %s/%s", d.Kind, d.State, d.Item.TradeNo, d.Item.Ref))
	}
	slices.Sort(got)
	slices.Sort(x.want)
	if !slices.Equal(got, x.want) {
		x.t.Errorf("found\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(x.want, "\n  "))
	}
	truth := int64(0)
	for _, m := range x.face.Books() {
		for _, p := range m.Payments {
			truth += p.Amount.Minor()
			for _, r := range p.Refunds {
				if !r.Failed {
					truth -= r.Amount.Minor()
				}
			}
		}
	}
	x.fold()
	books, err := x.rows.TrialBalance(x.t.Context())
	must(x.t, err)
	var held domain.Totals // what fees took away was there before
	for _, m := range append(books[domain.BookPSP(atWeChat)], books["expenses:fee:"+string(atWeChat)]...) {
		must(x.t, held.Add(m))
	}
	if got, want := held.Of(domain.CNY), domain.NewMoney(truth, domain.CNY); got != want {
		x.t.Errorf("our books have %s at the provider and in fees, the truth is %s", got, want)
	}
}

// A bill that the provider spoils is told as what it is, and concludes nothing.
func TestSpoiltBillsOfWeChatPay(t *testing.T) {
	t.Parallel()
	x := newWeixin(t, 3)
	x.next()
	for range 10 {
		x.one()
	}
	day := domain.DayOf(x.stage.Books(), stage.China)
	for class, cause := range map[stage.Class]operations.BillCause{
		stage.BillLate: operations.CauseBillMissing, facewx.BillHash: "", stage.BillCut: "",
	} {
		must(t, x.face.Troubles().Outage(x.face.Classes(), "1900000109", stage.Fault{Class: class}, time.Now().Add(time.Hour)))
		var run operations.BillRun
		if domain.DayOf(x.stage.Books(), stage.China) == day {
			run = x.next()
		} else {
			var err error
			run, err = x.comparer.Run(t.Context(), atWeChat, day, string(providers.BillTrade))
			must(t, err)
		}
		if run.State != operations.RunIncomplete || cause != "" && run.Cause != cause || run.Healed != 0 || run.Note == "" {
			t.Errorf("%s: %+v", class, run)
		}
	}
	must(t, x.face.Troubles().Outage(x.face.Classes(), "1900000109", stage.Fault{Class: stage.BillLate}, time.Now()))
	if run, err := x.comparer.Run(t.Context(), atWeChat, day, string(providers.BillTrade)); err != nil || run.State != operations.RunComplete {
		t.Errorf("%+v, %v", run, err)
	}
	x.judge()
}
