package domain_test

import (
	"cmp"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"pgregory.net/rapid"

	"counterfoil/domain"
)

// flowOn is the day of the flows compared here.
const flowOn domain.Day = "2026-03-13"

func flowPolicy() domain.ComparePolicy {
	return domain.ComparePolicy{Day: flowOn, Zone: time.FixedZone("CST", 8*3600), Cut: 30 * time.Minute, Wait: 1}
}

func cny(minor int64) domain.Money { return domain.NewMoney(minor, domain.CNY) }

// pair is what a payment, or a refund of it, looks like in both bills.
type pair struct {
	trade []domain.FlowLine
	flow  []domain.FlowLine
	want  []string
}

var flowNoon = flowOn.Start(time.FixedZone("CST", 8*3600)).Add(12 * time.Hour)

// both is a payment with a fee of 0.6 % that both bills have.
func both(trade string, minor int64) pair {
	fee := (minor*6 + 500) / 1000
	t := domain.BillLine{
		Kind: domain.LinePayment, OrderNo: "o" + trade, TradeNo: trade, Amount: cny(minor), Fee: decimal.New(minor*6, -5),
		FeeCurrency: domain.CNY, Status: domain.StatusPaid, At: flowNoon,
	}
	f := domain.BillLine{Kind: domain.LinePayment, OrderNo: "o" + trade, TradeNo: trade, Amount: cny(minor), Net: cny(minor), Status: domain.StatusOther, At: flowNoon}
	c := domain.BillLine{Kind: domain.LineFee, TradeNo: trade, Amount: cny(fee), Fee: decimal.New(fee, -2), FeeCurrency: domain.CNY, Net: cny(-fee), At: flowNoon}
	return pair{trade: flowLines(t), flow: flowLines(f, c)}
}

func flowLines(lines ...domain.BillLine) []domain.FlowLine {
	out := make([]domain.FlowLine, len(lines))
	for i, l := range lines {
		out[i] = domain.FlowLine{BillLine: l, Day: flowOn}
	}
	return out
}

// back is a refund that both bills have; the flow knows it by its own number.
func (p pair) back(no string, minor int64) pair {
	of := p.trade[0]
	t := domain.BillLine{
		Kind: domain.LineRefund, OrderNo: of.OrderNo, TradeNo: of.TradeNo, RefundID: no, Amount: cny(minor), Status: domain.StatusSucceeded, At: flowNoon,
	}
	f := domain.BillLine{Kind: domain.LineRefund, RefundID: no, Amount: cny(minor), Net: cny(-minor), Status: domain.StatusSucceeded, At: flowNoon}
	p.trade, p.flow = append(p.trade, flowLines(t)...), append(p.flow, flowLines(f)...)
	return p
}

func (p pair) says(format string, args ...any) pair {
	p.want = append(p.want, fmt.Sprintf(format, args...))
	return p
}

// flowPlants are movements on which the two bills agree, or differ as named.
var flowPlants = map[string]func(trade string, n int64) pair{
	"agreed":            both,
	"refunded in parts": func(trade string, n int64) pair { return both(trade, n+9).back("R1"+trade, 4).back("R2"+trade, 5) },
	"with a discount": func(trade string, n int64) pair {
		p := both(trade, n+100)
		p.trade[0].Discount, p.flow[0].Amount, p.flow[0].Net = cny(100), cny(n), cny(n)
		p.trade[0].Fee = p.flow[1].Fee
		return p
	},
	"fee off by what was rounded": func(trade string, n int64) pair {
		p := both(trade, n)
		p.trade[0].Fee = p.flow[1].Fee.Add(decimal.New(49, -4))
		return p
	},
	"fee off by a unit": func(trade string, n int64) pair {
		p := both(trade, n)
		p.trade[0].Fee = p.flow[1].Fee.Add(decimal.New(1, -2))
		return p.says("fee_mismatch open payment %s/", trade)
	},
	"another amount": func(trade string, n int64) pair {
		p := both(trade, n)
		p.flow[0].Amount = cny(n + 1)
		return p.says("bill_total_mismatch open payment %s/", trade)
	},
	"only in the trade bill": func(trade string, n int64) pair {
		p := both(trade, n)
		p.flow = nil
		return p.says("timing waiting payment %s/", trade)
	},
	"waited for the flow in vain": func(trade string, n int64) pair {
		p := both(trade, n)
		p.flow, p.trade[0].Day, p.trade[0].Since = nil, flowOn.Add(-1), flowOn.Add(-1)
		return p.says("bill_total_mismatch open payment %s/", trade)
	},
	"waited for the flow": func(trade string, n int64) pair {
		p := both(trade, n)
		p.trade[0].Day, p.trade[0].Since = flowOn.Add(-1), flowOn.Add(-1)
		return p.says("timing settled payment %s/", trade)
	},
	"only in the flow": func(trade string, n int64) pair {
		p := both(trade, n)
		p.trade = nil
		return p.says("only_theirs open payment %s/", trade)
	},
	"a refund only in the flow": func(trade string, n int64) pair {
		p := both(trade, n).back("R"+trade, 1)
		p.trade = p.trade[:1]
		return p.says("refund_missing open refund /R%s", trade)
	},
	"waited for the trade bill": func(trade string, n int64) pair {
		p := both(trade, n)
		p.flow = p.flow[:1]
		p.flow[0].Day, p.flow[0].Since = flowOn.Add(-1), flowOn.Add(-1)
		return p.says("timing settled payment %s/", trade)
	},
	"waited for the trade bill in vain": func(trade string, n int64) pair {
		p := both(trade, n)
		p.trade, p.flow = nil, p.flow[:1]
		p.flow[0].Day, p.flow[0].Since = flowOn.Add(-1), flowOn.Add(-1)
		return p.says("bill_total_mismatch open payment %s/", trade)
	},
	"a refund on its way": func(trade string, n int64) pair {
		p := both(trade, n).back("R"+trade, 1)
		p.trade[1].Status = domain.StatusWaiting
		p.flow = p.flow[:2]
		return p
	},
	"a refund that failed": func(trade string, n int64) pair {
		p := both(trade, n).back("R"+trade, 1)
		p.trade[1].Status = domain.StatusFailed
		p.flow = p.flow[:2]
		return p
	},
	"a refund that came back": func(trade string, n int64) pair {
		p := both(trade, n).back("R"+trade, 1)
		again := p.flow[2]
		again.Kind, again.Net = domain.LineRefundFailed, cny(1)
		p.flow = append(p.flow, again)
		return p.says("only_theirs open refund_failed /R%s", trade)
	},
	"a payout": func(trade string, n int64) pair {
		return pair{flow: flowLines(domain.BillLine{Kind: domain.LinePayout, PayoutID: "po" + trade, Amount: cny(n), Net: cny(-n)})}
	},
	"no name for it": func(trade string, n int64) pair {
		return pair{flow: flowLines(domain.BillLine{Kind: domain.LineOther, ID: "x" + trade, Amount: cny(-n), Net: cny(-n)})}.
			says("unclassified_movement open other /x%s", trade)
	},
}

// compareFlows compares both sides, whatever order their lines come in.
func compareFlows(t interface{ Fatal(...any) }, flow, trade []domain.FlowLine, sum *domain.Compared) []string {
	var tally domain.BillTally
	for i := range flow {
		if flow[i].Since != "" {
			continue
		}
		if err := tally.Add(&flow[i].BillLine); err != nil {
			t.Fatal(err)
		}
	}
	n := tally.Names()
	slices.SortFunc(flow, func(a, b domain.FlowLine) int { return cmp.Compare(n.Flow(&a), n.Flow(&b)) })
	slices.SortFunc(trade, func(a, b domain.FlowLine) int { return cmp.Compare(n.Trade(&a), n.Trade(&b)) })
	var out []string
	for d, err := range domain.CompareFlow(linesOf(flow), linesOf(trade), tally.Names, flowPolicy(), sum) {
		if err != nil {
			t.Fatal(err)
		}
		k := d.Key()
		out = append(out, fmt.Sprintf("%s %s %s %s/%s", d.Kind, d.State, k.Kind, k.TradeNo, k.Ref))
	}
	slices.Sort(out)
	return out
}

func linesOf(lines []domain.FlowLine) iter.Seq2[domain.FlowLine, error] {
	return func(yield func(domain.FlowLine, error) bool) {
		for _, l := range lines {
			if !yield(l, nil) {
				return
			}
		}
	}
}

// Each plant alone: found as what it is, and nothing else.
func TestCompareFlowFindsEachPlant(t *testing.T) {
	t.Parallel()
	for name, plant := range flowPlants {
		p := plant("T1", 730)
		var sum domain.Compared
		if got := compareFlows(t, p.flow, p.trade, &sum); !slices.Equal(got, p.want) {
			t.Errorf("%s: %q, want %q", name, got, p.want)
		}
	}
}

// Any number of them together, in any order: every plant is found and none
// invented.
func TestCompareFlowFindsAllAndInventsNone(t *testing.T) {
	t.Parallel()
	names := make([]string, 0, len(flowPlants))
	for name := range flowPlants {
		names = append(names, name)
	}
	slices.Sort(names)
	rapid.Check(t, func(t *rapid.T) {
		var flow, trade []domain.FlowLine
		var want []string
		for i, name := range rapid.SliceOfN(rapid.SampledFrom(names), 0, 40).Draw(t, "plants") {
			p := flowPlants[name](fmt.Sprintf("T%03d", i*7%101), rapid.Int64Range(1, 1_000_000).Draw(t, "amount"))
			flow, trade, want = append(flow, p.flow...), append(trade, p.trade...), append(want, p.want...)
		}
		shuffle := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1)) // a test's order
		shuffle.Shuffle(len(flow), func(i, j int) { flow[i], flow[j] = flow[j], flow[i] })
		shuffle.Shuffle(len(trade), func(i, j int) { trade[i], trade[j] = trade[j], trade[i] })
		var sum domain.Compared
		slices.Sort(want)
		if got := compareFlows(t, flow, trade, &sum); !slices.Equal(got, want) {
			t.Fatalf("found %q\nwant %q", got, want)
		}
	})
}

// What a flow does not name is compared by totals: a surplus of one currency does
// not hide a lack in another.
func TestCompareFlowByTotals(t *testing.T) {
	t.Parallel()
	nameless := func(kind domain.LineKind, m domain.Money) domain.FlowLine {
		return flowLines(domain.BillLine{Kind: kind, Amount: m, Net: m})[0]
	}
	usd := both("T3", 500)
	usd.trade[0].Amount, usd.trade[0].FeeCurrency = domain.NewMoney(500, domain.USD), domain.USD
	trade := append(append(both("T1", 730).trade, both("T2", 270).trade...), usd.trade...)
	var sum domain.Compared
	agreed := []domain.FlowLine{nameless(domain.LinePayment, cny(1000)), nameless(domain.LinePayment, domain.NewMoney(500, domain.USD))}
	if got := compareFlows(t, agreed, slices.Clone(trade), &sum); len(got) > 0 {
		t.Errorf("equal totals: %q", got)
	}
	off := []domain.FlowLine{nameless(domain.LinePayment, cny(1500))}
	want := []string{
		"bill_total_mismatch open payment /total/2026-03-13/CNY", "bill_total_mismatch open payment /total/2026-03-13/USD",
	}
	if got := compareFlows(t, off, slices.Clone(trade), &sum); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// A side that is not sorted ends the pass.
func TestCompareFlowWantsSortedSides(t *testing.T) {
	t.Parallel()
	flow := append(both("T2", 1).flow[:1], both("T1", 1).flow[:1]...)
	var sum domain.Compared
	var last error
	names := func() domain.FlowNames { return domain.FlowNames{} }
	for _, err := range domain.CompareFlow(linesOf(flow), linesOf(nil), names, flowPolicy(), &sum) {
		last = err
	}
	if last == nil || !strings.Contains(last.Error(), "the flow's lines are not sorted") {
		t.Errorf("%v", last)
	}
}
