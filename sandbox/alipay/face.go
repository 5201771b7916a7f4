package alipay

import (
	"net/http"
	"slices"
	"sync"
	"time"

	"counterfoil/domain"
	"counterfoil/sandbox/stage"
)

// Face is Alipay as the sandbox plays it. Make it with New.
type Face struct {
	stage     *stage.Stage
	base      string
	routes    http.Handler
	troubles  stage.Troubles
	merchants map[string]*merchant
	list      []*merchant

	mu     sync.Mutex
	orders map[string]*order // by trade_no
	all    []*order          // in the order they were made
	serial int               // numbers ever given
	files  map[string]file   // bills that can be downloaded, by token
}

var (
	_ stage.Face    = (*Face)(nil)
	_ stage.Rotator = (*Face)(nil)
	_ stage.Banker  = (*Face)(nil)
)

// Name is "alipay".
func (f *Face) Name() string { return Name }

// Routes is the provider's API.
func (f *Face) Routes() http.Handler { return f.routes }

// Troubles is where faults of its answers are planted.
func (f *Face) Troubles() *stage.Troubles { return &f.troubles }

// Classes of faults that only Alipay has.
const (
	Scanned       stage.Class = "scanned"        // the payer opens the cashier and does not pay: from now on the trade exists
	Finished      stage.Class = "finished"       // TRADE_FINISHED follows TRADE_SUCCESS after Delay; in truth after months
	FinishedOnce  stage.Class = "finished_once"  // TRADE_FINISHED at once: the product cannot be refunded
	EmptySigned   stage.Class = "empty_signed"   // empty values, part of the signed text
	EmptyUnsigned stage.Class = "empty_unsigned" // empty values, left out of the signed text
	OddSubject    stage.Class = "odd_subject"    // a goods name with +, &, blanks and Chinese
	GBK           stage.Class = "gbk"            // a notice in the charset GBK
	Coupon        stage.Class = "coupon"         // Money of the price is a coupon of the merchant's own, and never reaches him
	Ambiguous     stage.Class = "ambiguous"      // the genuine text of an order of Money, cut anew so that it names this one
	ReturnReplay  stage.Class = "return_replay"  // the payer sends the signed fields of the return address as notices, Copies times
	RefundFirst   stage.Class = "refund_first"   // half of it is refunded, and that is told before the payment is
	QueryBusy     stage.Class = "query_busy"     // Copies answers are 20000, with status 200
	QueryError    stage.Class = "query_error"    // Copies answers are an unsigned error_response
	BillExpired   stage.Class = "bill_expired"   // the address of a bill is dead on arrival
)

// Classes are the common ones and its own.
func (f *Face) Classes() stage.Classes {
	return stage.CommonClasses().With(stage.Classes{ //nolint:exhaustive // the rest are common ones, or nothing of Alipay's
		stage.ExtraField: {}, stage.Forged: {Spoof: true}, stage.OtherPID: {Spoof: true}, stage.WrongStatus: {Spoof: true},
		stage.OtherAmount: {Money: "0.01"}, stage.Rotated: {},
		Scanned: {}, Finished: {Delay: time.Hour}, FinishedOnce: {}, EmptySigned: {}, EmptyUnsigned: {}, OddSubject: {}, GBK: {},
		Coupon:             {Money: "0.10"},
		ReturnReplay:       {Copies: 2},
		Ambiguous:          {Spoof: true, Money: "0.01"},
		RefundFirst:        {Delay: time.Minute},
		stage.QueryMissing: {Query: true, Copies: 2}, stage.QueryUnsigned: {Query: true, Copies: 2},
		stage.QueryForged: {Query: true, Copies: 2}, stage.QueryLimited: {Query: true, Copies: 2},
		QueryBusy: {Query: true, Copies: 2}, QueryError: {Query: true, Copies: 2},
		stage.BillLate: {Bill: true}, stage.BillChanged: {Bill: true}, stage.BillCut: {Bill: true}, BillExpired: {Bill: true},
	})
}

// Orders lists orders, the newest first.
func (f *Face) Orders(filter stage.OrderFilter) []stage.Order {
	f.mu.Lock()
	defer f.mu.Unlock()
	if filter.ID != "" {
		o := f.orders[filter.ID]
		if o == nil || !o.fits(filter) {
			return nil
		}
		return []stage.Order{o.view()}
	}
	var found []stage.Order
	for _, o := range slices.Backward(f.all) {
		if !o.fits(filter) {
			continue
		}
		if found = append(found, o.view()); len(found) == filter.Limit {
			break
		}
	}
	return found
}

// Books is the truth of every application.
func (f *Face) Books() []stage.MerchantBooks {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []stage.MerchantBooks
	for _, m := range f.list {
		b := stage.MerchantBooks{
			Face: Name, Merchant: m.AppID, Opened: len(m.list), Payments: []stage.Payment{}, Planted: map[stage.Class]int{},
		}
		for _, o := range m.list {
			if o.wasPaid() {
				b.Payments = append(b.Payments, o.truth())
			}
		}
		for class, n := range m.planted {
			b.Planted[class] = n
		}
		m.bank(&b)
		all = append(all, b)
	}
	return all
}

// fen is an amount of yuan.
func fen(n int64) domain.Money { return domain.NewMoney(n, domain.CNY) }
