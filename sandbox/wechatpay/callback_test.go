package wechatpay_test

import (
	"slices"
	"testing"

	"counterfoil/domain"
	"counterfoil/sandbox/stage"
	"counterfoil/sandbox/wechatpay"
)

func TestPaymentIsTold(t *testing.T) {
	t.Parallel()
	for _, merchant := range []string{v3Merchant, v2Merchant} {
		w := newWorld(t)
		o := w.open(merchant, "order-0001", 730)
		w.pay(o.ID)
		w.settle()
		notices, refusals := w.shop.seen()
		if len(notices) != 1 || len(refusals) != 0 {
			t.Fatalf("%s: notices %+v, refusals %v", merchant, notices, refusals)
		}
		n := notices[0]
		if n.OrderNo != "order-0001" || n.TradeNo != o.ID || n.Amount != domain.NewMoney(730, domain.CNY) || n.Status != domain.StatusPaid ||
			n.Account != "user:7" || n.OccurredAt.IsZero() || len(n.Doubts) != 0 {
			t.Errorf("%s: %+v", merchant, n)
		}
		if seen := w.face.Orders(stage.OrderFilter{ID: o.ID}); !seen[0].Accepted || seen[0].Attempts != 1 || seen[0].Trouble != "" {
			t.Errorf("%s: %+v", merchant, seen[0])
		}
	}
}

// Each fault comes to the same books: one payment, known by at least one genuine
// callback or by none, and nothing false believed.
func TestFaultsOfCallbacks(t *testing.T) {
	t.Parallel()
	tests := []struct {
		fault    stage.Fault
		v2       bool
		paid     int // notices of the payment
		refused  []domain.Reason
		refusals int // at least
	}{
		{fault: stage.Fault{Class: stage.Lost}},
		{fault: stage.Fault{Class: stage.Lost}, v2: true},
		{fault: stage.Fault{Class: stage.Twice}, paid: 2},
		{fault: stage.Fault{Class: stage.Twice}, paid: 2, v2: true},
		{fault: stage.Fault{Class: stage.ExtraField}, paid: 1},
		{fault: stage.Fault{Class: stage.ExtraField}, paid: 1, v2: true},
		{fault: stage.Fault{Class: stage.Probe}, paid: 1, refused: []domain.Reason{domain.ReasonProbe}, refusals: 1},
		{fault: stage.Fault{Class: stage.Forged}, paid: 1, refused: []domain.Reason{domain.ReasonWrongSignature}, refusals: 3},
		{fault: stage.Fault{Class: stage.Forged}, paid: 1, refused: []domain.Reason{domain.ReasonWrongSignature}, refusals: 4, v2: true},
		{fault: stage.Fault{Class: stage.Forged, Unpaid: true}, refused: []domain.Reason{domain.ReasonWrongSignature}, refusals: 3},
		{fault: stage.Fault{Class: stage.OtherPID}, paid: 1, refused: []domain.Reason{domain.ReasonForeignMerchant}, refusals: 1},
		{fault: stage.Fault{Class: stage.OtherPID}, paid: 1, refused: []domain.Reason{domain.ReasonForeignMerchant}, refusals: 1, v2: true},
		{fault: stage.Fault{Class: stage.WrongStatus, Status: "NOTPAY", Unpaid: true}},
		{fault: stage.Fault{Class: stage.WrongStatus, Unpaid: true}, v2: true},
	}
	for _, tt := range tests {
		name := string(tt.fault.Class) + map[bool]string{true: " v2"}[tt.v2]
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			o := w.open(map[bool]string{true: v2Merchant, false: v3Merchant}[tt.v2], "order-0001", 730)
			w.pay(o.ID, tt.fault)
			w.settle()
			notices, refusals := w.shop.seen()
			paid := 0
			for _, n := range notices {
				if n.Status == domain.StatusPaid {
					paid++
				}
			}
			if paid != tt.paid || len(refusals) < tt.refusals {
				t.Errorf("paid %d times, want %d; refusals %v, want %d", paid, tt.paid, refusals, tt.refusals)
			}
			for _, reason := range refusals {
				if !slices.Contains(tt.refused, reason) {
					t.Errorf("refused with %s, want %v", reason, tt.refused)
				}
			}
			for _, b := range w.face.Books() {
				if len(b.Payments) > 0 && (b.Payments[0].Amount.Minor() != 730 || !b.Payments[0].Due || tt.fault.Unpaid) {
					t.Errorf("books %+v", b)
				}
			}
		})
	}
}

func TestOtherAmountIsInTheBooks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o := w.open(v3Merchant, "order-0001", 730)
	w.pay(o.ID, stage.Fault{Class: stage.OtherAmount})
	w.settle()
	notices, _ := w.shop.seen()
	books := w.face.Books()[0].Payments
	if len(notices) != 1 || notices[0].Amount.Minor() != 1 || len(books) != 1 || books[0].Amount.Minor() != 1 || books[0].Due {
		t.Errorf("notices %+v, books %+v", notices, books)
	}
}

// A certificate changes between two attempts of one message: the one that
// nobody has seen is refused, downloaded, and its repetition is taken.
func TestRotationLosesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o := w.open(v3Merchant, "order-0001", 730)
	w.pay(o.ID, stage.Fault{Class: stage.Rotated})
	w.settle()
	notices, refusals := w.shop.seen()
	last := w.face.Orders(stage.OrderFilter{ID: o.ID})[0]
	if !last.Accepted || len(notices) == 0 || len(refusals) == 0 {
		t.Errorf("order %+v, notices %d, refusals %v", last, len(notices), refusals)
	}
	if keys := w.shop.channels[v3Merchant].Config().PublicKeys; len(keys) != 3 {
		t.Errorf("the channel knows %d keys, want two of the platform and its own", len(keys))
	}
	// What was signed with the old key before still holds.
	second := w.open(v3Merchant, "order-0002", 100)
	w.pay(second.ID)
	w.settle()
	if got := w.face.Orders(stage.OrderFilter{ID: second.ID})[0]; !got.Accepted || got.Attempts != 1 {
		t.Errorf("%+v", got)
	}
}

func TestRefundsAreTold(t *testing.T) {
	t.Parallel()
	tests := []struct {
		merchant string
		in       stage.RefundOrder
		status   domain.Status
		unsigned bool
	}{
		{v3Merchant, stage.RefundOrder{Amount: domain.NewMoney(30, domain.CNY)}, domain.StatusSucceeded, false},
		{v3Merchant, stage.RefundOrder{Fails: true}, domain.StatusFailed, false},
		{v3Merchant, stage.RefundOrder{Fault: stage.Fault{Class: wechatpay.RefundXML}}, domain.StatusSucceeded, true},
		{v2Merchant, stage.RefundOrder{No: "refund-01"}, domain.StatusSucceeded, true},
		{v2Merchant, stage.RefundOrder{Fails: true}, domain.StatusFailed, true},
	}
	for _, tt := range tests {
		w := newWorld(t)
		o := w.open(tt.merchant, "order-0001", 730)
		w.pay(o.ID)
		w.settle()
		tt.in.ID = o.ID
		r, err := w.face.Refund(tt.in)
		if err != nil {
			t.Fatal(err)
		}
		w.settle()
		notices, refusals := w.shop.seen()
		if len(notices) != 2 || len(refusals) != 0 {
			t.Fatalf("notices %+v, refusals %v", notices, refusals)
		}
		n := notices[1]
		if n.About != domain.AboutRefund || n.RefundID != r.ID || n.RefundNo != r.No || n.Amount != r.Amount || n.Status != tt.status ||
			n.TradeNo != o.ID || slices.Contains(n.Doubts, domain.DoubtUnsigned) != tt.unsigned {
			t.Errorf("%+v, want %+v", n, r)
		}
		again, err := w.face.Refund(stage.RefundOrder{ID: o.ID, No: r.No})
		if err != nil || again != r {
			t.Errorf("the same refund again is %+v, %v", again, err)
		}
	}
}

func TestRefundBeforePayment(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if err := w.stage.SetSpeed(100); err != nil { // or a busy machine lets the payment overtake
		t.Fatal(err)
	}
	o := w.open(v3Merchant, "order-0001", 730)
	w.pay(o.ID, stage.Fault{Class: wechatpay.RefundFirst})
	w.settle()
	notices, _ := w.shop.seen()
	if len(notices) != 2 || notices[0].About != domain.AboutRefund || notices[0].Amount.Minor() != 365 || notices[1].Status != domain.StatusPaid ||
		notices[1].Amount.Minor() != 730 {
		t.Errorf("%+v", notices)
	}
}

func TestActsThatTheStateForbids(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o := w.open(v3Merchant, "order-0001", 730)
	if _, err := w.face.Refund(stage.RefundOrder{ID: o.ID}); domain.KindOf(err) != domain.KindConflict {
		t.Errorf("a refund of an unpaid order: %v", err)
	}
	w.pay(o.ID)
	if _, err := w.face.Pay(o.ID); domain.KindOf(err) != domain.KindConflict {
		t.Errorf("paid twice: %v", err)
	}
	if _, err := w.face.Pay("nothing"); domain.KindOf(err) != domain.KindNotFound {
		t.Errorf("an order that is not there: %v", err)
	}
	if _, err := w.face.Refund(stage.RefundOrder{ID: o.ID, Amount: domain.NewMoney(731, domain.CNY)}); domain.KindOf(err) != domain.KindInvalid {
		t.Errorf("more than was paid: %v", err)
	}
	if _, err := w.face.Open(stage.OpenOrder{OrderNo: "order-0001", Amount: domain.NewMoney(1, domain.CNY)}); domain.KindOf(err) != domain.KindConflict {
		t.Errorf("an order number again: %v", err)
	}
	w.settle()
	if _, err := w.face.Fire(o.ID, stage.Fault{Class: stage.Repeated, Copies: 2}); err != nil {
		t.Fatal(err)
	}
	w.settle()
	if notices, _ := w.shop.seen(); len(notices) != 4 {
		t.Errorf("%d notices after a repetition of three", len(notices))
	}
}
