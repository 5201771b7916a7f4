package alipay

import (
	"context"
	"slices"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/providers"
	"counterfoil/sandbox/stage"
)

func TestPaymentIsNotified(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		o := w.pay("A1")
		if len(w.came) != 1 {
			t.Fatalf("%d messages", len(w.came))
		}
		n := w.came[0].notices[0]
		if n.OrderNo != "A1" || n.TradeNo != o.ID || n.Amount != fen(1000) || n.Status != domain.StatusPaid || n.Account != "u:7" || len(n.Doubts) > 0 ||
			!n.OccurredAt.Equal(o.PaidAt.Truncate(time.Second)) {
			t.Errorf("%+v of %+v", n, o)
		}
		want := []string{
			"app_id", "auth_app_id", "buyer_id", "buyer_pay_amount", "charset", "fund_bill_list", "gmt_create", "gmt_payment",
			"invoice_amount", "notify_id", "notify_time", "notify_type", "out_trade_no", "passback_params", "point_amount", "receipt_amount",
			"seller_id", "sign", "sign_type", "subject", "total_amount", "trade_no", "trade_status", "version",
		}
		if !slices.Equal(names(w.came[0]), want) {
			t.Errorf("fields %v", names(w.came[0]))
		}
		if o := w.face.Orders(stage.OrderFilter{ID: o.ID})[0]; !o.Accepted || o.Attempts != 1 || o.Trouble != "" || o.State != "TRADE_SUCCESS" {
			t.Errorf("%+v", o)
		}
	})
}

// TestSchedule: eight deliveries in a day, with one notify_id.
func TestSchedule(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		w.answer = func(int) string { return "SUCCESS" } // of another product: not the word
		w.pay("A1")
		want := []time.Duration{
			0, 4 * time.Minute, 14 * time.Minute, 24 * time.Minute, 84 * time.Minute, 204 * time.Minute, 564 * time.Minute, 1464 * time.Minute,
		}
		if len(w.came) != len(want) {
			t.Fatalf("%d deliveries", len(w.came))
		}
		for i, a := range w.came {
			if got := a.at.Sub(w.came[0].at).Round(time.Second); got != want[i] || a.fields["notify_id"] != w.came[0].fields["notify_id"] {
				t.Errorf("delivery %d after %s under %s", i+1, got, a.fields["notify_id"])
			}
		}
		if w.came[0].fields["notify_time"] == w.came[7].fields["notify_time"] || w.came[0].fields["sign"] == w.came[7].fields["sign"] {
			t.Error("the retries are not signed anew")
		}
		if o := w.face.Orders(stage.OrderFilter{})[0]; o.Accepted || o.Trouble == "" || o.Attempts != 8 {
			t.Errorf("%+v", o)
		}
	})
}

// TestFaultsOfNotices: what each fault makes of one payment, as the shop's
// adapter reads it.
func TestFaultsOfNotices(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		fault   stage.Fault
		paid    int // notices of the payment, genuine and readable
		refused map[domain.Reason]int
		last    domain.Status // of the payment's last notice
		doubts  int           // notices with a doubt
	}{
		{fault: stage.Fault{}, paid: 1, last: domain.StatusPaid},
		{fault: stage.Fault{Class: stage.Lost}},
		{fault: stage.Fault{Class: stage.Repeated}, paid: 4, last: domain.StatusPaid},
		{fault: stage.Fault{Class: stage.Twice}, paid: 2, last: domain.StatusPaid},
		{fault: stage.Fault{Class: stage.Concurrent}, paid: 4, last: domain.StatusPaid},
		{fault: stage.Fault{Class: stage.Late}, paid: 1, last: domain.StatusPaid},
		{fault: stage.Fault{Class: stage.ExtraField}, paid: 1, last: domain.StatusPaid, doubts: 1},
		{fault: stage.Fault{Class: EmptySigned}, paid: 1, last: domain.StatusPaid},
		{fault: stage.Fault{Class: EmptyUnsigned}, paid: 1, last: domain.StatusPaid},
		{fault: stage.Fault{Class: OddSubject}, paid: 1, last: domain.StatusPaid},
		{fault: stage.Fault{Class: GBK}, paid: 1, last: domain.StatusPaid},
		{fault: stage.Fault{Class: Finished}, paid: 2, last: domain.StatusPaid},
		{fault: stage.Fault{Class: FinishedOnce}, paid: 1, last: domain.StatusPaid},
		{fault: stage.Fault{Class: stage.OtherAmount}, paid: 1, last: domain.StatusPaid},
		{
			fault: stage.Fault{Class: stage.Forged}, paid: 1, last: domain.StatusPaid,
			refused: map[domain.Reason]int{domain.ReasonWrongSignature: 5},
		},
		{
			fault:   stage.Fault{Class: stage.Forged, Variant: stage.Tampered, Unpaid: true},
			refused: map[domain.Reason]int{domain.ReasonWrongSignature: 1},
		},
		{fault: stage.Fault{Class: stage.OtherPID}, paid: 1, last: domain.StatusPaid, refused: map[domain.Reason]int{domain.ReasonForeignMerchant: 1}},
		{fault: stage.Fault{Class: stage.WrongStatus}, paid: 2, last: domain.StatusPaid},
		{fault: stage.Fault{Class: stage.WrongStatus, Status: "TRADE_CLOSED", Unpaid: true}, paid: 1, last: domain.StatusClosed},
		{fault: stage.Fault{Class: Ambiguous}, paid: 2, last: domain.StatusPaid, doubts: 1},
		{fault: stage.Fault{Class: ReturnReplay}, paid: 1, last: domain.StatusPaid, refused: map[domain.Reason]int{domain.ReasonUnreadable: 2}},
		{fault: stage.Fault{Class: RefundFirst}, paid: 2, last: domain.StatusPaid},
		{fault: stage.Fault{Class: Scanned}},
	} {
		t.Run(string(tt.fault.Class)+tt.fault.Variant+tt.fault.Status, func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(t *testing.T, w *world) {
				w.pay("A1", tt.fault)
				refused, doubts := map[domain.Reason]int{}, 0
				var last domain.Status
				for _, a := range w.came {
					if a.reason != "" {
						refused[a.reason]++
						continue
					}
					last = a.notices[0].Status
					doubts += min(1, len(a.notices[0].Doubts))
				}
				if got := len(w.genuine()); got != tt.paid || last != tt.last || doubts != tt.doubts {
					t.Errorf("%d notices, the last %q, %d doubts", got, last, doubts)
				}
				for reason, n := range tt.refused {
					if refused[reason] != n {
						t.Errorf("refused %v", refused)
					}
				}
				if len(tt.refused) == 0 && len(refused) > 0 {
					t.Errorf("refused %v", refused)
				}
			})
		})
	}
}

// TestFinished: the same trade twice, in two words.
func TestFinished(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		o := w.pay("A1", stage.Fault{Class: Finished})
		words := []string{w.came[0].fields["trade_status"], w.came[1].fields["trade_status"]}
		if !slices.Equal(words, []string{"TRADE_SUCCESS", "TRADE_FINISHED"}) || w.came[1].fields["trade_no"] != o.ID {
			t.Errorf("%v", words)
		}
		if _, err := w.face.Refund(stage.RefundOrder{ID: o.ID}); domain.KindOf(err) != domain.KindConflict {
			t.Errorf("a refund afterwards: %v", err)
		}
	})
}

// TestRotated: the answer to the first attempt is lost, the second comes under a
// new key. Who knows both reads both.
func TestRotated(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		w.pay("A1", stage.Fault{Class: stage.Rotated})
		if len(w.came) < 2 || w.came[0].reason != "" || w.came[1].reason != domain.ReasonWrongSignature {
			t.Fatalf("%d messages, %+v", len(w.came), w.came)
		}
		w.channel = w.channelNow()
		w.pay("A2")
		if last := w.came[len(w.came)-1]; last.reason != "" || last.notices[0].OrderNo != "A2" {
			t.Errorf("after the change: %+v", last)
		}
		if err := w.face.Rotate("1"); domain.KindOf(err) != domain.KindNotFound {
			t.Errorf("nobody's key: %v", err)
		}
	})
}

func TestReordered(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		if _, err := w.face.Pay(w.open("A1", 1000).ID, stage.Fault{Class: stage.Reordered}); err != nil {
			t.Fatal(err)
		}
		w.pay("A2")
		if len(w.came) != 2 || w.came[0].notices[0].OrderNo != "A2" || w.came[1].notices[0].OrderNo != "A1" {
			t.Errorf("%+v", w.came)
		}
	})
}

func TestFire(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		o := w.open("A1", 1000)
		if o, err := w.face.Fire(o.ID, stage.Fault{Class: Scanned}); err != nil || o.WasPaid || !o.Payable {
			t.Fatalf("%+v, %v", o, err)
		}
		if o, err := w.face.Fire(o.ID, stage.Fault{Class: GBK}); err != nil || !o.WasPaid {
			t.Fatalf("%+v, %v", o, err)
		}
		w.settle()
		if _, err := w.face.Fire(o.ID, stage.Fault{Class: stage.Repeated, Copies: 2}); err != nil {
			t.Fatal(err)
		}
		w.settle()
		if len(w.genuine()) != 4 {
			t.Errorf("%d notices", len(w.genuine()))
		}
		for _, class := range []stage.Class{Scanned, RefundFirst, stage.OtherAmount, stage.Lost} {
			if _, err := w.face.Fire(o.ID, stage.Fault{Class: class}); domain.KindOf(err) != domain.KindConflict {
				t.Errorf("%s: %v", class, err)
			}
		}
		for id, want := range map[string]domain.Kind{"1": domain.KindNotFound, o.ID: domain.KindConflict} {
			if _, err := w.face.Pay(id); domain.KindOf(err) != want {
				t.Errorf("paid again: %v", err)
			}
		}
		if _, err := w.face.Fire(o.ID, stage.Fault{Class: "x"}); domain.FieldOf(err) != "class" {
			t.Errorf("no class: %v", err)
		}
		if got := w.face.Books()[0].Planted; got[GBK] != 1 || got[stage.Repeated] != 1 || got[Scanned] != 1 {
			t.Errorf("planted %v", got)
		}
	})
}

// TestAmbiguous: the text of a cheap order, cut anew, names the victim and its
// amount under a signature that holds; the adapter doubts it, and what it says
// of the trade is not what Alipay answers. The cheap order was really paid.
func TestAmbiguous(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		w.pay("A1", stage.Fault{Class: Ambiguous, Unpaid: true})
		if len(w.came) != 1 || w.came[0].reason != "" {
			t.Fatalf("came %+v", w.came)
		}
		n := w.came[0].notices[0]
		if n.OrderNo != "A1" || n.Amount != fen(1000) || n.Status != domain.StatusPaid || len(n.Doubts) < 2 {
			t.Errorf("%+v", n)
		}
		a, err := w.channel.Query(context.Background(), providers.Question{OrderNo: "A1", TradeNo: n.TradeNo})
		if err == nil && a.Found && a.Notice.Status == domain.StatusPaid && a.Notice.OrderNo == "A1" {
			t.Errorf("confirmed: %+v", a)
		}
		b := w.face.Books()[0]
		if len(b.Payments) != 1 || b.Payments[0].Due || b.Payments[0].Amount != fen(1) || b.Payments[0].TradeNo != n.TradeNo {
			t.Errorf("truth %+v", b.Payments)
		}
	})
}
