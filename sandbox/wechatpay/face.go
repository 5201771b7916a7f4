package wechatpay

import (
	"net/http"
	"sync"
	"time"

	"counterfoil/domain"
	"counterfoil/sandbox/stage"
)

// Face is WeChat Pay as the sandbox plays it. Make it with New.
type Face struct {
	stage     *stage.Stage
	base      string
	routes    http.Handler
	troubles  stage.Troubles
	merchants map[string]*merchant // by Merchant.id
	signers   map[string]*merchant // the first of each mchid, whose keys sign for all of it
	list      []*merchant

	mu     sync.Mutex
	orders map[string]*order // by transaction_id
	all    []*order          // in the order they were made
	serial int               // numbers ever given
	files  map[string]file   // bills that can be downloaded, by token
}

var (
	_ stage.Face    = (*Face)(nil)
	_ stage.Rotator = (*Face)(nil)
	_ stage.Banker  = (*Face)(nil)
)

// Name is "wechatpay".
func (f *Face) Name() string { return Name }

// Routes is the provider's API.
func (f *Face) Routes() http.Handler { return f.routes }

// Troubles is where faults of its answers are planted.
func (f *Face) Troubles() *stage.Troubles { return &f.troubles }

// Classes of faults that only WeChat Pay has.
const (
	RefundFirst stage.Class = "refund_first" // half of it is refunded, and that is told before the payment is
	RefundXML   stage.Class = "refund_xml"   // of a refund: made by hand, and told as v2 XML
	QueryError  stage.Class = "query_error"  // Copies answers are SYSTEM_ERROR
	BillHash    stage.Class = "bill_hash"    // the hash is another file's
	Coupon      stage.Class = "coupon"       // the payer has a coupon of the merchant's over Money, at most half of it
)

// Classes are the common ones and its own.
func (f *Face) Classes() stage.Classes {
	own := stage.Classes{ //nolint:exhaustive // the common ones are added below
		stage.ExtraField: {}, stage.Forged: {Spoof: true}, stage.OtherPID: {Spoof: true}, stage.WrongStatus: {Spoof: true},
		stage.OtherAmount: {Money: "0.01"}, stage.Probe: {}, stage.Rotated: {},
		RefundFirst: {Delay: time.Minute}, RefundXML: {}, Coupon: {Money: "0.10"}, stage.SecondTrade: {Delay: time.Minute},
		stage.QueryMissing: {Query: true, Copies: 2}, stage.QueryUnsigned: {Query: true, Copies: 2},
		stage.QueryForged: {Query: true, Copies: 2}, stage.QueryLimited: {Query: true, Copies: 2}, QueryError: {Query: true, Copies: 2},
		stage.BillLate: {Bill: true}, stage.BillChanged: {Bill: true}, stage.BillCut: {Bill: true}, stage.BillGrows: {Bill: true}, BillHash: {Bill: true},
	}
	return stage.CommonClasses().With(own)
}

// Books is the truth of every merchant.
func (f *Face) Books() []stage.MerchantBooks {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []stage.MerchantBooks
	for _, m := range f.list {
		b := stage.MerchantBooks{
			Face: Name, Merchant: m.id(), Opened: len(m.byNo), Payments: []stage.Payment{}, Planted: map[stage.Class]int{},
		}
		for _, o := range m.list {
			if o.wasPaid() {
				b.Payments = append(b.Payments, o.truth())
			}
		}
		for class, n := range m.planted {
			b.Planted[class] = n
		}
		f.bankBooks(m, &b)
		all = append(all, b)
	}
	return all
}

// fen is an amount of yuan.
func fen(n int64) domain.Money { return domain.NewMoney(n, domain.CNY) }
