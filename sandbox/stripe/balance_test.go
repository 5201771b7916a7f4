package stripe

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/providers"
	"counterfoil/sandbox/stage"

	"github.com/google/go-cmp/cmp"
)

// billOf takes the bill of a day by the adapter.
func billOf(t *testing.T, face *Face, h *shop, day domain.Day) ([]domain.BillLine, providers.BillFile, error) {
	t.Helper()
	var bill strings.Builder
	q := providers.BillQuestion{Kind: providers.BillFunds, Day: day, At: face.stage.Books()}
	f, err := h.channel.FetchBill(t.Context(), q, &bill)
	if err != nil {
		return nil, f, err
	}
	var lines []domain.BillLine
	for l, err := range h.channel.ReadBill(strings.NewReader(bill.String()), f) {
		if err != nil {
			return lines, f, err
		}
		lines = append(lines, l)
	}
	return lines, f, nil
}

// types are those of the events that came, in their order.
func types(t *testing.T, all []came) []string {
	t.Helper()
	var names []string
	for _, c := range all {
		var e struct {
			Type string `json:"type"`
		}
		if err := json.Unmarshal(c.request.Body, &e); err != nil {
			t.Fatal(err)
		}
		names = append(names, e.Type)
	}
	return names
}

// TestPayouts: an automatic one names its transactions, arrives after two days
// and comes back on the fifth; one of an amount names none.
func TestPayouts(t *testing.T) {
	t.Parallel()
	play(t, nil, func(t *testing.T, face *Face, h *shop) {
		pay(t, face, "A-1")
		pay(t, face, "A-2")
		before := face.list[0].balance("cny")
		h.all()
		began := time.Now()
		p, err := face.Payout(stage.PayoutOrder{Merchant: acct, Currency: domain.CNY, Fails: true})
		if err != nil || p.Amount != yuan(before) || face.list[0].balance("cny") != 0 {
			t.Fatalf("%+v, %v; %d stays", p, err, face.list[0].balance("cny"))
		}
		settle(t, face)
		seen := h.all()
		want := []string{"payout.created", "payout.reconciliation_completed", "payout.paid", "payout.failed"}
		if got := types(t, seen); !slices.Equal(got, want) {
			t.Fatalf("told %v", got)
		}
		for i, after := range []time.Duration{0, time.Hour, 48 * time.Hour, 120 * time.Hour} {
			if took := seen[i].at.Sub(began); took < after || took > after+time.Minute {
				t.Errorf("%s after %s", want[i], took)
			}
		}
		if got := face.list[0].balance("cny"); got != before {
			t.Errorf("the balance is %d, was %d", got, before)
		}
		part, err := face.Payout(stage.PayoutOrder{Amount: yuan(100)})
		if err != nil {
			t.Fatal(err)
		}
		status, body := ask(t, face, http.MethodGet, "/v1/balance_transactions?limit=100&payout="+p.ID, nil, nil)
		if status != http.StatusOK || strings.Count(body, `"balance_transaction"`) != 3 {
			t.Errorf("%d %s", status, body)
		}
		var list struct {
			Data []struct {
				Type string `json:"type"`
				Net  int64  `json:"net"`
			} `json:"data"`
		}
		if err := json.Unmarshal([]byte(body), &list); err != nil {
			t.Fatal(err)
		}
		var named int64
		for _, row := range list.Data {
			if row.Type != "payout" {
				named += row.Net
			}
		}
		if named != p.Amount.Minor() {
			t.Errorf("it names %d of %s", named, p.Amount)
		}
		if status, body := ask(t, face, http.MethodGet, "/v1/balance_transactions?payout="+part.ID, nil, nil); status != 400 || !strings.Contains(body, "automatic") {
			t.Errorf("of a manual one: %d %s", status, body)
		}
		if status, _ := ask(t, face, http.MethodGet, "/v1/balance_transactions?payout=po_none", nil, nil); status != 404 {
			t.Errorf("of none: %d", status)
		}
		if status, body := ask(t, face, http.MethodGet, "/v1/payouts/"+part.ID, nil, nil); status != 200 || !strings.Contains(body, `"status": "in_transit"`) {
			t.Errorf("%d %s", status, body)
		}
		if b := face.Books()[0]; len(b.Payouts) != 2 || !b.Payouts[0].Failed || b.Payouts[1].State != inTransit || b.Balance[0] != yuan(before-100) {
			t.Errorf("truth %+v", b)
		}
	})
}

// TestPayoutRefused: what cannot be paid out.
func TestPayoutRefused(t *testing.T) {
	t.Parallel()
	play(t, nil, func(t *testing.T, face *Face, h *shop) {
		pay(t, face, "A-1")
		for name, in := range map[string]stage.PayoutOrder{
			"nothing": {Currency: domain.JPY}, "too much": {Amount: yuan(1000)}, "less": {Amount: yuan(-1)}, "nobody": {Merchant: "acct_3"},
			"unknown": {Currency: "XXX"},
		} {
			if p, err := face.Payout(in); err == nil {
				t.Errorf("%s: %+v", name, p)
			}
		}
		for name, in := range map[string]stage.MoveOrder{
			"nothing": {}, "capital": {Amount: yuan(1), Word: "Fee"}, "long": {Amount: yuan(1), Word: strings.Repeat("a", 41)},
			"nobody": {Merchant: "acct_3", Amount: yuan(1)},
		} {
			if m, err := face.Move(in); err == nil {
				t.Errorf("%s: %+v", name, m)
			}
		}
		if b := face.Books()[0]; len(b.Payouts)+len(b.Moves) > 0 {
			t.Errorf("%+v", b)
		}
	})
}

// TestDailyPayouts: each midnight goes what came two days before, until nothing
// is left; each names its own.
func TestDailyPayouts(t *testing.T) {
	t.Parallel()
	play(t, func(a *Account) { a.DailyPayouts = true }, func(t *testing.T, face *Face, h *shop) {
		time.Sleep(12 * time.Hour)
		for i := range 3 {
			if _, err := face.Pay(open(t, face, fmt.Sprint("A-", i)).ID); err != nil {
				t.Fatal(err)
			}
			time.Sleep(24 * time.Hour)
		}
		settle(t, face)
		b := face.Books()[0]
		if len(b.Payouts) != 3 || b.Balance[0] != yuan(0) {
			t.Fatalf("%+v", b)
		}
		for _, p := range b.Payouts {
			if p.Amount != yuan(1000-59) || p.At.UTC().Format(time.TimeOnly) != "00:00:00" {
				t.Errorf("%+v", p)
			}
		}
	})
}

// TestDailyPayoutsHurried: the same while waiting times pass faster than the
// books, and it comes to an end.
func TestDailyPayoutsHurried(t *testing.T) {
	t.Parallel()
	play(t, func(a *Account) { a.DailyPayouts = true }, func(t *testing.T, face *Face, h *shop) {
		if err := face.stage.SetSpeed(86_400); err != nil {
			t.Fatal(err)
		}
		for _, no := range []string{"A-1", "A-2"} {
			if _, err := face.Pay(open(t, face, no).ID); err != nil {
				t.Fatal(err)
			}
		}
		began := time.Now()
		settle(t, face)
		if b := face.Books()[0]; len(b.Payouts) != 1 || b.Payouts[0].State != paidOut || b.Balance[0] != yuan(0) || time.Since(began) > time.Hour {
			t.Errorf("%+v after %s", b, time.Since(began))
		}
	})
}

// TestExchanged: charge, refund, failed refund and dispute in yen, the balance
// in dollars, each at a rate of its own; the adapter reads both sides, and net
// adds up to the balance.
func TestExchanged(t *testing.T) {
	t.Parallel()
	play(t, func(a *Account) { a.Settlement = domain.USD }, func(t *testing.T, face *Face, h *shop) {
		day := domain.DayOf(face.stage.Books(), time.UTC)
		yen := func(n int64) domain.Money { return domain.NewMoney(n, domain.JPY) }
		o, err := face.Open(stage.OpenOrder{OrderNo: "Y-1", Amount: yen(20_000), Subject: "VIP"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := face.Pay(o.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := face.Refund(stage.RefundOrder{ID: o.ID, Amount: yen(5000), Fails: true}); err != nil {
			t.Fatal(err)
		}
		settle(t, face)
		d, err := face.Dispute(o.ID, yen(9000))
		if err != nil || d.Fee != domain.NewMoney(1500, domain.USD) {
			t.Fatalf("%+v, %v", d, err)
		}
		if _, err := face.Decide(d.ID, true); err != nil {
			t.Fatal(err)
		}
		settle(t, face)
		time.Sleep(48 * time.Hour)
		lines, _, err := billOf(t, face, h, day)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		net := int64(0)
		rates := map[string]bool{}
		for _, l := range lines {
			got = append(got, fmt.Sprint(l.Kind, " ", l.Amount, " ", l.FeeCurrency, " ", l.Net.Currency()))
			net += l.Net.Minor()
			rates[fmt.Sprint(l.Net.Decimal().Add(l.Fee).Abs().DivRound(l.Amount.Decimal(), 6))] = true
			if near := l.Net.Decimal().Add(l.Fee).Abs().InexactFloat64() / l.Amount.Decimal().InexactFloat64(); near < 0.0063 || near > 0.0065 {
				t.Errorf("%s for %s", l.Net, l.Amount)
			}
		}
		want := []string{
			"payment 20000 JPY USD USD", "refund 5000 JPY USD USD", "refund_failed 5000 JPY USD USD",
			"dispute_withdrawn 9000 JPY USD USD", "dispute_reinstated 9000 JPY USD USD",
		}
		if diff := cmp.Diff(want, got); diff != "" || len(rates) < 4 {
			t.Errorf("lines (-want +got):\n%srates %v", diff, rates)
		}
		if b := face.Books()[0].Balance; len(b) != 1 || b[0] != domain.NewMoney(net, domain.USD) {
			t.Errorf("the lines come to %d, the balance is %v", net, b)
		}
		paid := lines[0].Net.Decimal().Add(lines[0].Fee).Shift(2).IntPart()
		if want := cardFee(paid) + paid*fxPerMille/1000; lines[0].Fee.Shift(2).IntPart() != want {
			t.Errorf("changing %d costs %s, want %d", paid, lines[0].Fee, want)
		}
		// The dispute's own notices have the fee in the balance's currency.
		for _, c := range h.all() {
			for _, n := range c.notices {
				if n.About == domain.AboutDispute && n.Status == domain.StatusWithdrawn && (n.Amount != yen(9000) || n.Fee != d.Fee) {
					t.Errorf("%+v", n)
				}
			}
		}
	})
}

// TestChange: counts in and out of zero- and three-decimal currencies, and what
// is too small to be anything.
func TestChange(t *testing.T) {
	t.Parallel()
	play(t, nil, func(t *testing.T, face *Face, _ *shop) {
		for _, tt := range []struct {
			from     sum
			code     string
			low, top int64
		}{
			{sum{1000, "usd"}, "jpy", 1540, 1580},
			{sum{1000, "jpy"}, "usd", 633, 647},
			{sum{-1000, "usd"}, "cny", -7265, -7110},
			{sum{100_000, "usd"}, "kwd", 304_000, 311_000},
			{sum{1_000_000, "kwd"}, "usd", 321_000, 329_000},
			{sum{1_000_000, "krw"}, "isk", 10_030_000, 10_240_000},
			{sum{1, "krw"}, "usd", 1, 1},
			{sum{-1, "krw"}, "kwd", -10, -10},
			{sum{0, "krw"}, "kwd", 0, 0},
			{sum{500, "nzd"}, "usd", 247, 253},
			{sum{99_999_999_999, "krw"}, "cny", 51_900_000_000, 53_100_000_000},
		} {
			got, rate := face.change(tt.from, tt.code, "x")
			if got.code != tt.code || got.count < tt.low || got.count > tt.top || !json.Valid([]byte(rate)) {
				t.Errorf("%v are %v at %s", tt.from, got, rate)
			}
			if again, same := face.change(tt.from, tt.code, "x"); again != got || same != rate {
				t.Errorf("%v are %v another time", tt.from, again)
			}
		}
		a := &account{Account: Account{Currency: domain.CNY}}
		for placed, want := range map[string]string{"cny": "usd", "usd": "cny"} {
			if got := a.settlesIn(placed, true); got != want || a.settlesIn(placed, false) != "" {
				t.Errorf("%s settles in %s", placed, got)
			}
		}
		a.Settlement = domain.USD
		if a.settlesIn("cny", false) != "usd" || a.settlesIn("usd", false) != "" || a.settlesIn("usd", true) != "cny" {
			t.Error("the settlement currency")
		}
	})
}

// TestBillTrouble: a list that is behind, one whose fees are estimates, and the
// same day afterwards; types that no list has are movements without a name.
func TestBillTrouble(t *testing.T) {
	t.Parallel()
	play(t, nil, func(t *testing.T, face *Face, h *shop) {
		day := domain.DayOf(face.stage.Books(), time.UTC)
		midnight := day.Add(1).Start(time.UTC)
		pay(t, face, "A-1")
		time.Sleep(time.Until(midnight) - time.Minute)
		pay(t, face, "A-2", stage.Fault{Class: Exchanged})
		for _, word := range []string{"", "stripe_fee", "reserve_transaction"} {
			if _, err := face.Move(stage.MoveOrder{Amount: yuan(-70), Word: word}); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Until(midnight) + 150*time.Minute)
		read := func(class stage.Class, want int) []domain.BillLine {
			t.Helper()
			until := time.Now()
			if class != "" {
				until = until.Add(time.Minute)
			}
			if err := face.troubles.Outage(face.Classes(), acct, stage.Fault{Class: stage.BillLate}, time.Time{}); err != nil {
				t.Fatal(err)
			}
			if class != "" {
				if err := face.troubles.Outage(face.Classes(), acct, stage.Fault{Class: class}, until); err != nil {
					t.Fatal(err)
				}
			}
			lines, f, err := billOf(t, face, h, day)
			if err != nil || len(lines) != want || f.Final {
				t.Errorf("%s: %d lines, %+v, %v", class, len(lines), f, err)
			}
			return lines
		}
		read(stage.BillLate, 1)
		estimated := read(stage.BillChanged, 5)
		lines := read("", 5)
		if estimated[0].Fee.Equal(lines[0].Fee) || !estimated[0].Fee.Sub(lines[0].Fee).Equal(lines[0].Net.Decimal().Sub(estimated[0].Net.Decimal())) {
			t.Errorf("%+v, then %+v", estimated[0], lines[0])
		}
		kinds := []domain.LineKind{domain.LinePayment, domain.LinePayment, domain.LineOther, domain.LineFee, domain.LineOther}
		for i, l := range lines {
			if l.Kind != kinds[i] || l.ID == "" {
				t.Errorf("line %d: %+v", i, l)
			}
		}
		if lines[2].ProviderStatus != oddType || lines[2].Net != yuan(-70) || lines[1].FeeCurrency != domain.USD || lines[1].Amount != yuan(1000) {
			t.Errorf("%+v", lines)
		}
		time.Sleep(24 * time.Hour)
		if _, f, err := billOf(t, face, h, day); err != nil || !f.Final {
			t.Errorf("in the end: %+v, %v", f, err)
		}
	})
}

// TestBalance: what can be paid out now, and what only later.
func TestBalance(t *testing.T) {
	t.Parallel()
	play(t, nil, func(t *testing.T, face *Face, _ *shop) {
		o := pay(t, face, "A-1")
		amounts := func() string {
			t.Helper()
			status, body := ask(t, face, http.MethodGet, "/v1/balance", nil, nil)
			var b struct {
				Available, Pending []struct{ Amount int64 }
			}
			if err := json.Unmarshal([]byte(body), &b); err != nil || status != http.StatusOK || len(b.Available) != 1 || len(b.Pending) != 1 {
				t.Fatalf("%d %s", status, body)
			}
			return fmt.Sprint(b.Available[0].Amount, " ", b.Pending[0].Amount)
		}
		if got := amounts(); got != "0 941" {
			t.Errorf("at once %s", got)
		}
		time.Sleep(49 * time.Hour)
		if got := amounts(); got != "941 0" {
			t.Errorf("later %s", got)
		}
		status, body := post(t, face, "/v1/payouts", url.Values{"amount": {"400"}, "currency": {"cny"}}, nil)
		if status != http.StatusOK || !strings.Contains(body, `"not_applicable"`) || amounts() != "541 0" {
			t.Errorf("%d %s, %s", status, body, amounts())
		}
		row := face.list[0].txns[0].id
		if status, body := ask(t, face, http.MethodGet, "/v1/balance_transactions/"+row+"?expand[]=source", nil, nil); status != 200 || !strings.Contains(body, o.ID) {
			t.Errorf("%d %s", status, body)
		}
		for _, path := range []string{"/v1/balance_transactions/txn_none", "/v1/payouts/po_none"} {
			if status, _ := ask(t, face, http.MethodGet, path, nil, nil); status != 404 {
				t.Errorf("%s: %d", path, status)
			}
		}
	})
}
