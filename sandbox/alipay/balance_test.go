package alipay

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/providers"
	"counterfoil/sandbox/stage"

	"github.com/google/go-cmp/cmp"
)

// fetchDay takes the bill of a day by the adapter.
func (w *world) fetchDay(kind providers.BillKind, day domain.Day) ([]domain.BillLine, providers.BillFile, error) {
	w.t.Helper()
	var b bytes.Buffer
	f, err := w.channel.FetchBill(context.Background(), providers.BillQuestion{Kind: kind, Day: day, At: w.on.Books()}, &b)
	if err != nil {
		return nil, f, err
	}
	var lines []domain.BillLine
	for line, err := range w.channel.ReadBill(bytes.NewReader(b.Bytes()), f) {
		if err != nil {
			return lines, f, err
		}
		lines = append(lines, line)
	}
	return lines, f, nil
}

// TestAccountBill: everything that moves the balance, over two days: the lines
// follow from one balance to the next, and the last is what stands there.
func TestAccountBill(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		day := domain.DayOf(w.on.Books(), stage.China)
		o := w.pay("A1", stage.Fault{Class: Coupon, Money: "1.00"})
		if _, err := w.face.Refund(stage.RefundOrder{ID: o.ID, Amount: fen(500), No: "R1"}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.face.Move(stage.MoveOrder{Amount: fen(-7)}); err != nil {
			t.Fatal(err)
		}
		gone, err := w.face.Payout(stage.PayoutOrder{Amount: fen(100), Fails: true})
		if err != nil || gone.State != payoutDealing {
			t.Fatalf("%+v, %v", gone, err)
		}
		stays, err := w.face.Payout(stage.PayoutOrder{})
		if err != nil {
			t.Fatal(err)
		}
		w.settle()
		time.Sleep(48 * time.Hour)
		first, _, err := w.fetchDay(providers.BillFunds, day)
		if err != nil {
			t.Fatal(err)
		}
		second, _, err := w.fetchDay(providers.BillFunds, day.Add(1))
		if err != nil {
			t.Fatal(err)
		}
		type line struct {
			Kind         domain.LineKind
			Net, Balance int64
			Payout       string
		}
		var got []line
		ids := map[string]bool{}
		for _, l := range slices.Concat(first, second) {
			got = append(got, line{l.Kind, l.Net.Minor(), l.Balance.Minor(), l.PayoutID})
			ids[l.ID] = true
		}
		want := []line{
			{domain.LinePayment, 900, 900, ""},
			{domain.LineFee, -5, 895, ""},
			{domain.LineRefund, -450, 445, ""},
			{domain.LineFee, 3, 448, ""},
			{domain.LineOther, -7, 441, ""},
			{domain.LinePayout, -100, 341, gone.ID},
			{domain.LinePayout, -341, 0, stays.ID},
			{domain.LinePayoutFailed, 100, 100, gone.ID},
		}
		if diff := cmp.Diff(want, got); diff != "" || len(second) != 1 || len(ids) != len(want) || first[4].ProviderStatus != oddWord {
			t.Errorf("lines (-want +got):\n%s%+v", diff, second)
		}
		b := w.face.Books()[0]
		if len(b.Balance) != 1 || b.Balance[0] != fen(100) || len(b.Payouts) != 2 || !b.Payouts[0].Failed || b.Payouts[1].State != payoutDone ||
			len(b.Moves) != 1 || b.Moves[0].Word != oddWord {
			t.Errorf("truth %+v", b)
		}
	})
}

// TestCoupon: what the merchant gave away is in the trade bill, of the payment
// and of each part that goes back, and comes to nothing when all has gone back.
func TestCoupon(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		o := w.pay("A1", stage.Fault{Class: Coupon, Money: "0.99"})
		if n := w.came[0].notices[0]; n.Amount != fen(1000) || w.came[0].fields["receipt_amount"] != "9.01" {
			t.Errorf("%+v", w.came[0])
		}
		for _, part := range []int64{333, 333, 334} {
			if _, err := w.face.Refund(stage.RefundOrder{ID: o.ID, Amount: fen(part)}); err != nil {
				t.Fatal(err)
			}
		}
		w.settle()
		time.Sleep(26 * time.Hour)
		lines, _, err := w.fetch(providers.BillTrade)
		if err != nil || len(lines) != 4 {
			t.Fatalf("%+v, %v", lines, err)
		}
		left := lines[0].Discount.Minor()
		for _, l := range lines[1:] {
			if l.Kind != domain.LineRefund || !l.Discount.IsPositive() {
				t.Errorf("%+v", l)
			}
			left -= l.Discount.Minor()
		}
		if lines[0].Discount != fen(99) || lines[0].Amount != fen(1000) || left != 0 {
			t.Errorf("%d left of %+v", left, lines)
		}
		again, err := w.face.Pay(w.open("A2", 1).ID, stage.Fault{Class: Coupon})
		if err != nil || again.Paid != fen(1) {
			t.Errorf("a coupon over the whole price: %+v, %v", again, err)
		}
		w.settle()
		if _, err := w.face.Fire(o.ID, stage.Fault{Class: Coupon}); domain.KindOf(err) != domain.KindConflict {
			t.Errorf("a coupon afterwards: %v", err)
		}
	})
}

// TestAccountBillTrouble: late, to be changed and cut off, like the trade bill;
// a day on which only the balance moved has the one bill and not the other.
func TestAccountBillTrouble(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		day := domain.DayOf(w.on.Books(), stage.China)
		for _, amount := range []int64{500, -200} {
			if _, err := w.face.Move(stage.MoveOrder{Amount: fen(amount), Word: "营销活动"}); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(26 * time.Hour)
		trouble := func(class stage.Class) ([]domain.BillLine, providers.BillFile, error) {
			t.Helper()
			if err := w.face.Troubles().Outage(w.face.Classes(), appID, stage.Fault{Class: class}, time.Now().Add(time.Minute)); err != nil {
				t.Fatal(err)
			}
			defer time.Sleep(2 * time.Minute)
			return w.fetchDay(providers.BillFunds, day)
		}
		if _, _, err := trouble(stage.BillCut); domain.KindOf(err) != domain.KindCorrupt || err == nil {
			t.Errorf("cut off: %v", err)
		}
		if lines, f, err := trouble(stage.BillChanged); err != nil || len(lines) != 1 || f.Final {
			t.Errorf("to be changed: %+v, %+v, %v", lines, f, err)
		}
		if _, f, err := trouble(stage.BillLate); err != nil || !f.Empty || f.Final {
			t.Errorf("late: %+v, %v", f, err)
		}
		if _, f, err := w.fetchDay(providers.BillTrade, day); err != nil || !f.Empty {
			t.Errorf("no trades: %+v, %v", f, err)
		}
		time.Sleep(12 * time.Hour)
		if lines, f, err := w.fetchDay(providers.BillFunds, day); err != nil || len(lines) != 2 || !f.Final || lines[1].Balance != fen(300) {
			t.Errorf("in the end: %+v, %+v, %v", lines, f, err)
		}
	})
}

// TestBillTexts: goods names with commas, quotes and characters that only
// GB18030 has; the file's name is not flagged as UTF-8.
func TestBillTexts(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		for i, subject := range []string{"一,二,三", `说"好"`, "𠮷野家 😀", "a,\"b\",c"} {
			o, err := w.face.Open(stage.OpenOrder{OrderNo: "A" + string(rune('1'+i)), Amount: fen(1000), Subject: subject})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.face.Pay(o.ID); err != nil {
				t.Fatal(err)
			}
		}
		w.settle()
		time.Sleep(26 * time.Hour)
		for _, kind := range w.channel.Bills() {
			lines, _, err := w.fetch(kind)
			if err != nil || len(lines) < 4 || lines[len(lines)-1].OrderNo != "A4" {
				t.Errorf("%s: %+v, %v", kind, lines, err)
			}
		}
	})
}

// TestBalanceRefuses what nobody can pay out or move, and books nothing of it.
func TestBalanceRefuses(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		w.pay("A1")
		usd := domain.NewMoney(1, domain.USD)
		for name, tt := range map[string]struct {
			in    stage.PayoutOrder
			field string
		}{
			"nobody":     {stage.PayoutOrder{Merchant: "2021"}, "app_id"},
			"dollars":    {stage.PayoutOrder{Amount: usd}, "currency"},
			"all in yen": {stage.PayoutOrder{Currency: domain.JPY}, "currency"},
			"less":       {stage.PayoutOrder{Amount: fen(-1)}, "amount"},
			"too much":   {stage.PayoutOrder{Amount: fen(995)}, "amount"},
		} {
			if p, err := w.face.Payout(tt.in); domain.FieldOf(err) != tt.field {
				t.Errorf("%s: %+v, %v", name, p, err)
			}
		}
		for name, in := range map[string]stage.MoveOrder{
			"nothing": {}, "dollars": {Amount: usd}, "cells": {Amount: fen(1), Word: "a,b"}, "lines": {Amount: fen(1), Word: "a\nb"},
			"long": {Amount: fen(1), Word: strings.Repeat("x", 65)}, "nobody": {Merchant: "2021", Amount: fen(1)},
		} {
			if m, err := w.face.Move(in); err == nil {
				t.Errorf("%s: %+v", name, m)
			}
		}
		if b := w.face.Books()[0]; b.Balance[0] != fen(994) || len(b.Payouts)+len(b.Moves) > 0 {
			t.Errorf("%+v", b)
		}
		if _, err := w.face.Payout(stage.PayoutOrder{Amount: fen(994)}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.face.Payout(stage.PayoutOrder{}); domain.KindOf(err) != domain.KindConflict {
			t.Errorf("a payout of nothing: %v", err)
		}
	})
}
