package stripe

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"counterfoil/domain"
	"counterfoil/sandbox/stage"
)

// Face is Stripe as the sandbox plays it. Make it with New.
type Face struct {
	stage    *stage.Stage
	base     string
	routes   http.Handler
	troubles stage.Troubles
	accounts map[string]*account
	keys     map[string]*account // by API key
	list     []*account

	mu     sync.Mutex
	orders map[string]*order // by payment intent
	all    []*order          // in the order they were made
}

var (
	_ stage.Face     = (*Face)(nil)
	_ stage.Disputer = (*Face)(nil)
	_ stage.Rotator  = (*Face)(nil)
	_ stage.Banker   = (*Face)(nil)
)

// Name is "stripe".
func (f *Face) Name() string { return Name }

// Routes is the provider's API.
func (f *Face) Routes() http.Handler { return f.routes }

// Troubles is where faults of its answers are planted.
func (f *Face) Troubles() *stage.Troubles { return &f.troubles }

// Classes of faults that only Stripe has.
const (
	Delayed    stage.Class = "delayed"     // completed while unpaid; the money comes after Delay, a day by default
	Thin       stage.Class = "thin"        // a thin event tells the payment as well
	OldRelease stage.Class = "old_release" // events of another release of the API
	TwoSigns   stage.Class = "two_signs"   // a second signature, of a secret that nobody here has
	KeyOrder   stage.Class = "key_order"   // the members of events in another order, without white space
	FutureTime stage.Class = "future_time" // the first attempt is signed a day ahead
	NoMetadata stage.Class = "no_metadata" // the intent does not name the order, only its session does
	Exchanged  stage.Class = "exchanged"   // the money is changed on its way to the balance, and so is all that goes back
)

// Classes are the common ones and its own.
func (f *Face) Classes() stage.Classes {
	return stage.CommonClasses().With(stage.Classes{ //nolint:exhaustive // beside the common ones
		stage.ExtraField: {}, stage.Forged: {Spoof: true}, stage.OtherPID: {Spoof: true}, stage.WrongStatus: {Spoof: true},
		stage.OtherAmount: {Money: "1.00"}, stage.SecondTrade: {Delay: 10 * time.Minute}, stage.Rotated: {},
		Delayed: {Delay: 24 * time.Hour}, Thin: {}, OldRelease: {}, TwoSigns: {}, KeyOrder: {}, FutureTime: {}, NoMetadata: {},
		Exchanged:          {},
		stage.QueryMissing: {Query: true, Copies: 2}, stage.QueryLimited: {Query: true, Copies: 2},
		stage.BillLate: {Bill: true}, stage.BillChanged: {Bill: true}, stage.BillCut: {Bill: true}, stage.BillGrows: {Bill: true},
	})
}

// account is one merchant account. Face.mu guards all that changes.
type account struct {
	Account
	lane     *stage.Lane
	secrets  []string // that sign, the newest first
	orders   []*order
	tagged   map[tag][]*order // by what their intents' metadata said at first, in the order of orders
	numbers  map[string]int   // ids made for a name
	events   []*event
	txns     []*txn
	refunds  []*refund
	disputes []*dispute
	payouts  []*payout
	moved    []*txn // of txns, what Move made
	rolling  bool   // the next midnight is waited for

	midnights [2]int              // how many of txns there were at the last two midnights
	repeats   map[string]answered // by Idempotency-Key
	planted   map[stage.Class]int
}

func newAccount(s *stage.Stage, config Account) *account {
	return &account{
		Account: config, lane: s.Lane(), secrets: []string{config.Secret}, numbers: map[string]int{}, repeats: map[string]answered{},
		planted: map[stage.Class]int{}, tagged: map[tag][]*order{},
	}
}

// tag is one pair of metadata as a search finds it: without regard to case.
type tag struct{ key, folded string }

func tagOf(key, value string) tag { return tag{key, strings.ToLower(strings.ToUpper(value))} }

func (f *Face) account(id string) (*account, error) {
	if id == "" {
		return f.list[0], nil
	}
	if a := f.accounts[id]; a != nil {
		return a, nil
	}
	return nil, domain.EField(domain.KindNotFound, "pid", "there is no account %.64q", id)
}

func (f *Face) order(id string) (*order, error) {
	if o := f.orders[id]; o != nil {
		return o, nil
	}
	return nil, domain.EField(domain.KindNotFound, "trade_no", "there is no order %.40q", id)
}

// Rotate rolls the secret of an account's endpoint: from now on events carry a
// signature of each, as they do for a day at Stripe. The secret before the last
// one signs no more.
func (f *Face) Rotate(merchant string) error {
	a, err := f.account(merchant)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	fresh := "whsec_" + digestHex(a.ID, "endpoint", a.secrets[0])
	a.secrets = []string{fresh, a.secrets[0]}
	return nil
}

// Channels is one channel for each account, with the secrets as they are now.
func (f *Face) Channels() []stage.Channel {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []stage.Channel
	for _, a := range f.list {
		set := []stage.Setting{
			{Name: "provider", Value: Name},
			{Name: "gateway", Value: f.base},
			{Name: "api_key", Value: a.APIKey},
			{Name: "webhook_secrets", Value: slices.Clone(a.secrets)},
			{Name: "currency", Value: string(a.Currency)},
			{Name: "account_from", Value: "metadata." + accountKey},
			{Name: "test", Value: true},
		}
		if a.Connected {
			set = append(set, stage.Setting{Name: "account", Value: a.ID})
		}
		if len(f.base) > 5 && f.base[:5] == "http:" {
			set = append(set, stage.Setting{Name: "allow_plain_http", Value: true})
		}
		id := Name + "-" + channelName(a.ID)
		all = append(all, stage.Channel{ID: id, Merchant: a.ID, Settings: set})
	}
	return all
}

// channelName is an account's id as a channel's may be.
func channelName(id string) string {
	name := []byte(id[len("acct_"):])
	for i, c := range name {
		switch {
		case c >= 'A' && c <= 'Z':
			name[i] = c + 'a' - 'A'
		case (c < 'a' || c > 'z') && (c < '0' || c > '9'):
			name[i] = '-'
		}
	}
	return string(name[:min(len(name), 20)])
}

// Orders lists orders, the newest first.
func (f *Face) Orders(filter stage.OrderFilter) []stage.Order {
	f.mu.Lock()
	defer f.mu.Unlock()
	var found []stage.Order
	for _, o := range slices.Backward(f.all) {
		if !o.fits(filter) {
			continue
		}
		found = append(found, o.view())
		if len(found) == filter.Limit {
			break
		}
	}
	return found
}

// Books is the truth of every account.
func (f *Face) Books() []stage.MerchantBooks {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []stage.MerchantBooks
	for _, a := range f.list {
		b := stage.MerchantBooks{Face: Name, Merchant: a.ID, Payments: []stage.Payment{}, Planted: maps.Clone(a.planted)}
		settled := map[string]bool{}
		for _, o := range a.orders {
			if o.second == nil {
				b.Opened++
			}
			if !o.wasPaid() {
				continue
			}
			p := o.truth()
			p.Due = p.Amount == p.Placed && !settled[p.OrderNo]
			settled[p.OrderNo] = settled[p.OrderNo] || p.Due
			b.Payments = append(b.Payments, p)
		}
		a.bank(&b)
		all = append(all, b)
	}
	return all
}
