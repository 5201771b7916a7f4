package sandbox

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"testing"

	"counterfoil/domain"
)

// play opens and pays n orders in some order of arrival and returns the books.
func play(t *testing.T, seed uint64, n int, rates []Rate, shuffle uint64) (b Books, attempts int) {
	t.Helper()
	bubble(t, Config{
		Seed: seed, Rates: rates, Merchants: []MerchantConfig{v1Merchant(Rainbow), v2Merchant()},
	}, func(t *testing.T, s *Sandbox, h *shop) {
		for _, i := range rand.New(rand.NewPCG(shuffle, 0)).Perm(n) {
			pid := []string{"1001", "2002"}[i%2]
			if _, err := s.Pay(opened(t, s, pid, fmt.Sprintf("A%d", i), "7.30").TradeNo); err != nil {
				t.Fatal(err)
			}
		}
		settle(t, s)
		b, attempts = s.Books(), len(h.all())
	})
	return b, attempts
}

// What happens to an order follows from the seed and its name, whatever the
// order of arrival.
func TestTheSameSeedPlantsTheSameFaults(t *testing.T) {
	t.Parallel()
	rates := EveryFault(0.04)
	faults := func(b Books) map[string][]Class {
		all := map[string][]Class{}
		for _, m := range b.Merchants {
			for _, p := range m.Paid {
				if p.Origin == None {
					all[m.PID+" "+p.OutTradeNo] = p.Faults
				}
			}
		}
		return all
	}
	one, sent := play(t, 7, 200, rates, 1)
	two, sentAgain := play(t, 7, 200, rates, 2)
	other, _ := play(t, 8, 200, rates, 1)
	if !reflect.DeepEqual(faults(one), faults(two)) {
		t.Error("the order of arrival changed the faults")
	}
	if sent != sentAgain {
		// Reordered ones travel alone or in company, but all of them travel once.
		t.Errorf("%d messages, then %d", sent, sentAgain)
	}
	if reflect.DeepEqual(faults(one), faults(other)) {
		t.Error("another seed plants the same faults")
	}
	for i := range one.Merchants {
		if a, b := one.Merchants[i], two.Merchants[i]; !maps.Equal(a.Planted, b.Planted) || !reflect.DeepEqual(a.Totals, b.Totals) {
			t.Errorf("planted %v and %v, totals %v and %v", a.Planted, b.Planted, a.Totals, b.Totals)
		}
	}
}

// Every class comes up, about as often as its share, and the books add up.
func TestEveryFaultComesUp(t *testing.T) {
	t.Parallel()
	const orders, share = 2000, 0.03
	books, _ := play(t, 3, orders, EveryFault(share), 1)
	planted := map[Class]int{}
	for _, m := range books.Merchants {
		for c, n := range m.Planted {
			planted[c] += n
		}
		checkTotals(t, m)
	}
	for _, c := range append(CallbackClasses(), QueryClasses()...) {
		want := orders * share
		switch {
		case c == Minted || c == Purged:
			want = 0
		case versionOf(c) == V2:
			want /= 2
		}
		if got := float64(planted[c]); got < want*0.5 || got > want*1.6 {
			t.Errorf("%s planted %v times, want about %v", c, got, want)
		}
	}
}

func checkTotals(t *testing.T, m MerchantBooks) {
	t.Helper()
	total := m.Totals[0]
	if sum := plus(total.Credited, total.Parked); sum != total.Received {
		t.Errorf("%s: credited %s and parked %s are not %s", m.PID, total.Credited, total.Parked, total.Received)
	}
	credits := map[string]int{}
	var received domain.Totals
	for _, p := range m.Paid {
		if err := received.Add(p.Money); err != nil {
			t.Fatal(err)
		}
		if p.Credit {
			credits[p.OutTradeNo]++
		}
		if p.Credit && p.Money != p.Placed {
			t.Errorf("%s is due with %s for %s", p.OutTradeNo, p.Money, p.Placed)
		}
	}
	for no, n := range credits {
		if n != 1 {
			t.Errorf("%s is due %d times", no, n)
		}
	}
	if received.Of(domain.CNY) != total.Received {
		t.Errorf("received %s, lines say %s", total.Received, received.Of(domain.CNY))
	}
	if unpaid := m.Opened - len(credits) - m.Planted[OtherAmount]; unpaid != sum(m.Unpaid) {
		t.Errorf("%s: %d orders unpaid, but %d tricks without a payment", m.PID, unpaid, sum(m.Unpaid))
	}
}

func sum(counts map[Class]int) (n int) {
	for _, c := range counts {
		n += c
	}
	return n
}

func TestRatesAreChecked(t *testing.T) {
	t.Parallel()
	nan := 0.0
	nan /= nan
	for name, rates := range map[string][]Rate{
		"over 1":               {{Fault: Fault{Class: Lost}, Share: 1.1}},
		"below 0":              {{Fault: Fault{Class: Lost}, Share: -0.1}},
		"not a number":         {{Fault: Fault{Class: Lost}, Share: nan}},
		"together over 1":      {{Fault: Fault{Class: Lost}, Share: 0.6}, {Fault: Fault{Class: Late}, Share: 0.6}},
		"over 1 for one":       {{Fault: Fault{Class: Lost}, Share: 0.6}, {Fault: Fault{Class: Late}, Share: 0.6, PID: "1"}},
		"of no class there is": {{Fault: Fault{Class: "x"}, Share: 0.1}},
	} {
		if _, err := classes.CompleteRates(rates); domain.KindOf(err) != domain.KindInvalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := classes.CompleteRates([]Rate{
		{Fault: Fault{Class: Lost}, Share: 0.6},
		{Fault: Fault{Class: Query5xx}, Share: 0.6},
		{Fault: Fault{Class: Late}, Share: 0.4, PID: "1"},
		{Fault: Fault{Class: Late}, Share: 0.4, PID: "2"},
	}); err != nil {
		t.Errorf("callback and query faults, merchants apart: %v", err)
	}
}
