package demo

import (
	"bytes"
	"strings"
	"testing"

	"counterfoil/domain"
	"counterfoil/sandbox/stage"
)

func usd(minor int64) domain.Money { return domain.NewMoney(minor, domain.USD) }

// played is one order that was paid, refunded in part and lost a dispute in
// part, as all three sides tell it.
func played() (map[string]order, map[string][]stage.Payment, *journal) {
	orders := map[string]order{"stripe/A1": {
		till: till{channel: "stripe", face: "stripe", currency: domain.USD, refunds: true}, orderNo: "A1", account: "user:1", amount: usd(1000),
	}}
	truth := map[string][]stage.Payment{"stripe/A1": {{
		TradeNo: "pi_1", OrderNo: "A1", Amount: usd(1000), Placed: usd(1000), Due: true, Accepted: true,
		Refunds:  []stage.Refund{{ID: "re_1", Amount: usd(300)}, {ID: "re_2", Amount: usd(50), Failed: true}},
		Disputes: []stage.Dispute{{ID: "du_1", Amount: usd(200), State: stage.DisputeLost}, {ID: "du_2", Amount: usd(100), State: stage.DisputeWon}},
	}}}
	log := newJournal()
	log.credits["stripe/A1"] = []credit{{"user:1", usd(1000)}}
	t := log.trade("payment-stripe:A1", "pi_1")
	t.refunded.add(usd(300))
	t.lost.add(usd(200))
	return orders, truth, log
}

func TestWhatAgreesIsGood(t *testing.T) {
	t.Parallel()
	v := compare(played())
	if !v.good() || v.err() != nil || v.due["user:1"].String() != "5.00 USD" {
		t.Errorf("%v, due %s", v.faults, v.due["user:1"])
	}
	var out bytes.Buffer
	v.print(&out)
	for _, want := range []string{"10.00 USD  10.00 USD", "VERDICT: every paid order credited exactly once"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the report lacks %q:\n%s", want, &out)
		}
	}
}

func TestEveryDifferenceIsSeen(t *testing.T) {
	t.Parallel()
	for want, spoil := range map[string]func(orders map[string]order, truth map[string][]stage.Payment, log *journal){
		"credited 2 times": func(_ map[string]order, _ map[string][]stage.Payment, log *journal) {
			log.credits["stripe/A1"] = append(log.credits["stripe/A1"], credit{"user:1", usd(1000)})
		},
		"paid and is not credited": func(_ map[string]order, _ map[string][]stage.Payment, log *journal) { delete(log.credits, "stripe/A1") },
		"credited and is not paid": func(_ map[string]order, truth map[string][]stage.Payment, _ *journal) { delete(truth, "stripe/A1") },
		"nobody placed it": func(_ map[string]order, _ map[string][]stage.Payment, log *journal) {
			log.credits["stripe/A2"] = []credit{{"user:1", usd(1)}}
		},
		"to user:2": func(_ map[string]order, _ map[string][]stage.Payment, log *journal) {
			log.credits["stripe/A1"][0].account = "user:2"
		},
		"with 9.99 USD": func(_ map[string]order, _ map[string][]stage.Payment, log *journal) {
			log.credits["stripe/A1"][0].amount = usd(999)
		},
		"refunded 3.00 USD by the provider's books, 6.00 USD by ours": func(_ map[string]order, _ map[string][]stage.Payment, log *journal) {
			log.trade("payment-stripe:A1", "pi_1").refunded.add(usd(300))
		},
		"refunded 0.00 USD by the provider's books, 3.00 USD by ours": func(_ map[string]order, truth map[string][]stage.Payment, _ *journal) {
			truth["stripe/A1"][0].Refunds = nil
		},
		"lost in disputes 2.00 USD by the provider's books, 0.00 USD by ours": func(_ map[string]order, _ map[string][]stage.Payment, log *journal) {
			log.trade("payment-stripe:A1", "pi_1").lost.take(usd(200))
		},
		"away in disputes 0.00 USD by the provider's books, 1.00 USD by ours": func(_ map[string]order, _ map[string][]stage.Payment, log *journal) {
			log.trade("payment-stripe:A1", "pi_1").away.add(usd(100))
		},
	} {
		orders, truth, log := played()
		spoil(orders, truth, log)
		v := compare(orders, truth, log)
		if v.good() || !strings.Contains(strings.Join(v.faults, "\n"), want) || domain.KindOf(v.err()) != domain.KindMismatch {
			t.Errorf("%q is not seen: %v", want, v.faults)
		}
	}
}

// V1 of Epay tells no amount: its refund is for people, and only its refund.
func TestRefundOfUnknownAmount(t *testing.T) {
	t.Parallel()
	cny := func(minor int64) domain.Money { return domain.NewMoney(minor, domain.CNY) }
	for name, c := range map[string]struct {
		refunds []stage.Refund
		shown   int
		forgot  bool
		want    string
	}{
		"shown":          {refunds: []stage.Refund{{Amount: cny(1000)}}, shown: 1},
		"not shown":      {refunds: []stage.Refund{{Amount: cny(1000)}}, want: "nobody is shown"},
		"nobody can ask": {refunds: []stage.Refund{{Amount: cny(1000)}}, forgot: true},
		"nothing":        {},
		"made up":        {shown: 1, want: "was not refunded"},
	} {
		orders := map[string]order{"epay/A1": {
			till: till{channel: "epay", face: "epay", currency: domain.CNY}, orderNo: "A1", account: "user:1", amount: cny(1000),
		}}
		truth := map[string][]stage.Payment{"epay/A1": {{
			TradeNo: "1", OrderNo: "A1", Amount: cny(1000), Placed: cny(1000), Due: true, Accepted: true, Refunds: c.refunds, Forgot: c.forgot,
		}}}
		log := newJournal()
		log.credits["epay/A1"] = []credit{{"user:1", cny(1000)}}
		log.missing["epay/A1"] = c.shown
		v := compare(orders, truth, log)
		if v.good() != (c.want == "") || !strings.Contains(strings.Join(v.faults, "\n"), c.want) || v.due["user:1"].String() != "10.00 CNY" {
			t.Errorf("%s: %v, due %s", name, v.faults, v.due["user:1"])
		}
	}
}

// The journal adds up by hand what the events say.
func TestTheJournalAddsUp(t *testing.T) {
	t.Parallel()
	j := newJournal()
	three := usd(300)
	for _, f := range []domain.Fact{
		domain.PaymentRefunded{TradeNo: "pi_1", Amount: three, RefundID: "re_1"},
		domain.PaymentRefunded{TradeNo: "pi_1", Amount: three, RefundID: "re_2"},
		domain.RefundFailed{TradeNo: "pi_1", Amount: three, RefundID: "re_2"},
		domain.DisputeWithdrawn{TradeNo: "pi_1", Amount: three, DisputeID: "du_1"},
		domain.DisputeLost{TradeNo: "pi_1", Amount: three, DisputeID: "du_1"},
		domain.DisputeWithdrawn{TradeNo: "pi_1", Amount: three, DisputeID: "du_2"},
		domain.DisputeReinstated{TradeNo: "pi_1", Amount: three, DisputeID: "du_2"},
		domain.DisputeWithdrawn{TradeNo: "pi_1", Amount: three, DisputeID: "du_3"},
	} {
		j.back("payment-stripe:A1", f)
	}
	got := j.trades["stripe/pi_1"]
	if got == nil || got.refunded.of(domain.USD) != usd(300) || got.lost.of(domain.USD) != usd(300) || got.away.of(domain.USD) != usd(300) {
		t.Errorf("%+v", got)
	}
	if err := j.add([]byte(`{"stream":"x","type":"nonsense.v1","data":{}}`)); err == nil {
		t.Error("an unknown event was counted")
	}
}
