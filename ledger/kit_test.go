package ledger

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/eventstore/memory"
)

const (
	main  = domain.ChannelID("epay-main") // callbacks alone move money
	asked = domain.ChannelID("epay-ask")  // the provider's query must confirm
	alice = domain.AccountID("user:alice")
	bob   = domain.AccountID("user:bob")
)

var (
	noon  = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)
	until = noon.Add(2 * time.Hour)
	ten   = domain.NewMoney(1000, domain.CNY)
	five  = domain.NewMoney(500, domain.CNY)

	testID = domain.NewV5(domain.ID{}, "ledger under test")
	desk   = By{Actor: "key:desk", Cause: "request-1", Trace: "trace-1"}
)

// failer is a test or a round of rapid.
type failer interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// world is one log with its keys and clock. Each Ledger on it stands for a
// process.
type world struct {
	store *memory.Store
	log   *memory.Faulty
	keys  *keyring
	clock *clock

	opened map[domain.ID][32]byte // sealed parts that checkLog has opened, by event: the same bytes open again
}

func newWorld(t failer) *world {
	t.Helper()
	s := memory.New()
	w := &world{store: s, log: memory.NewFaulty(s), keys: &keyring{keys: map[domain.Stream]domain.DataKey{}}, clock: &clock{at: noon}, opened: map[domain.ID][32]byte{}}
	if err := Init(context.Background(), w.store, testID, domain.ModeLive, w.config()); err != nil {
		t.Fatalf("init: %v", err)
	}
	return w
}

func (w *world) config() Config {
	return Config{Software: "counterfoil/test", Clock: w.clock.now, Zone: shanghai}
}

// shanghai is the zone of draws.
var shanghai = func() *time.Location {
	zone, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		panic(err)
	}
	return zone
}()

// process opens the log as one more process does.
func (w *world) process(t failer) *Ledger {
	t.Helper()
	l, err := Open(context.Background(), w.log, w.keys, w.config())
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	for _, cfg := range []domain.ChannelConfigured{settings(main, domain.ConfirmNever), settings(asked, domain.ConfirmAlways)} {
		if err := l.Configure(context.Background(), cfg, By{Actor: "system", Cause: "config"}); err != nil {
			t.Fatalf("configure: %v", err)
		}
	}
	return l
}

func settings(ch domain.ChannelID, confirm domain.ConfirmMode) domain.ChannelConfigured {
	return domain.ChannelConfigured{
		Channel: ch, Provider: "epay", Protocol: "v1", Merchant: map[string]string{"pid": "1001"}, Currency: domain.CNY,
		Zone: "Asia/Shanghai", Gateway: "https://pay.example.com", Confirm: confirm, Funds: "gateway",
		Secrets: []domain.SecretMark{{Use: "md5", Fingerprint: "hmac:00"}},
	}
}

// keyring keeps data keys in memory; a broken one answers with an error.
type keyring struct {
	mu     sync.Mutex
	keys   map[domain.Stream]domain.DataKey
	broken error
	looks  int
	made   int
}

func (k *keyring) EnsureDataKey(_ context.Context, s domain.Stream) (domain.DataKey, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.looks++
	if k.broken != nil {
		return domain.DataKey{}, k.broken
	}
	if _, ok := k.keys[s]; !ok {
		var key domain.DataKey
		k.made++
		binary.BigEndian.PutUint64(key[:], uint64(k.made))
		k.keys[s] = key
	}
	return k.keys[s], nil
}

func (k *keyring) DestroyDataKey(_ context.Context, s domain.Stream) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.broken != nil {
		return k.broken
	}
	delete(k.keys, s)
	return nil
}

func (k *keyring) DataKey(_ context.Context, s domain.Stream) (domain.DataKey, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.looks++
	if k.broken != nil {
		return domain.DataKey{}, k.broken
	}
	key, ok := k.keys[s]
	if !ok {
		return key, domain.E(domain.KindNotFound, "no data key for %s", s)
	}
	return key, nil
}

// erase destroys a payment's key.
func (k *keyring) erase(s domain.Stream) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.keys, s)
}

type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

func order(no string) domain.Order {
	return domain.Order{
		Channel: main, OrderNo: domain.OrderNo(no), Account: alice, Amount: ten, Method: "alipay", ExpiresAt: until,
	}
}

var shown = Personal{Subject: "Credits <&> 点数", ClientIP: "203.0.113.9", ReturnURL: "https://shop.example/back"}

// place places an order and expects it to succeed.
func (w *world) place(t failer, l *Ledger, o domain.Order) Result {
	t.Helper()
	r, _, err := l.Place(context.Background(), o, shown, desk)
	if err != nil {
		t.Fatalf("place %s: %v", o.OrderNo, err)
	}
	return r
}

// delivery is the id of the nth delivery of a test.
func delivery(n int) domain.ID { return domain.NewV5(domain.ID{}, "delivery", fmt.Sprint(n)) }

// callback is the nth delivery, telling that money came for an order.
func (w *world) callback(n int, ch domain.ChannelID, no, trade string, m domain.Money) domain.Notice {
	return domain.Notice{
		Delivery: delivery(n), Source: domain.SourceCallback, Channel: ch, OrderNo: no, TradeNo: trade, Amount: m,
		Status: domain.StatusPaid, ProviderStatus: "TRADE_SUCCESS", ReceivedAt: w.clock.now(),
	}
}

// query is the nth answer of the provider, saying the same.
func (w *world) query(n int, ch domain.ChannelID, no, trade string, m domain.Money) domain.Notice {
	q := w.callback(n, ch, no, trade, m)
	q.Source, q.Run, q.ProviderStatus = domain.SourceQuery, "sweep-1", "1"
	return q
}

// evidence is what stands behind a notice; of every other one it is long enough
// to be packed.
func evidence(n domain.Notice) domain.Evidence {
	e := domain.Evidence{
		Kind: string(n.Source), Method: "GET", At: domain.Instant(n.ReceivedAt), Scheme: "epay.md5.v1", Key: "hmac:00", Grade: domain.GradeB,
		Target: fmt.Sprintf("/callbacks/%s?out_trade_no=%s&trade_no=%s&n=%s", n.Channel, n.OrderNo, n.TradeNo, n.Delivery),
		Remote: "203.0.113.9",
	}
	for i := range 8 + 16*int(n.Delivery[15]%2) {
		e.Headers = append(e.Headers, domain.Header{Name: fmt.Sprintf("X-Header-%d", i), Value: "the same text again and again"})
	}
	return e
}

func reply(o domain.Outcome) domain.Reply {
	if o.Success() {
		return domain.Reply{Status: 200, ContentType: "text/plain", Body: "success"}
	}
	return domain.Reply{Status: 503, ContentType: "text/plain", Body: "fail"}
}

// notify takes a notice in as the receiver of its source does.
func notify(l *Ledger, n domain.Notice) (Result, error) {
	if n.Source == domain.SourceQuery {
		return l.Notify(context.Background(), n, evidence(n), nil)
	}
	return l.Notify(context.Background(), n, evidence(n), reply)
}

// must is notify, expected to succeed with an outcome.
func must(t failer, l *Ledger, n domain.Notice, want domain.Outcome) Result {
	t.Helper()
	r, err := notify(l, n)
	if err != nil {
		t.Fatalf("notify: %v", err)
	}
	if r.Verdict.Outcome != want {
		t.Fatalf("outcome %s (%s), want %s", r.Verdict.Outcome, r.Verdict.Reason, want)
	}
	return r
}

func wantKind(t failer, err error, want domain.Kind) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want %s", want)
	}
	if got := domain.KindOf(err); got != want {
		t.Fatalf("kind %s, want %s: %v", got, want, err)
	}
}

// parallel runs a test beside others.
func parallel(t *testing.T) *world {
	t.Helper()
	t.Parallel()
	return newWorld(t)
}
