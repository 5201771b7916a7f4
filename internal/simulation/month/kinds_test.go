package month

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"counterfoil/domain"
	"counterfoil/sandbox"
	"counterfoil/sandbox/alipay"
	"counterfoil/sandbox/stripe"
	"counterfoil/sandbox/wechatpay"
)

// planted says that the month has the kind at the provider; any other text says
// why it cannot be there, or where it is tried instead.
const planted = "planted"

// kinds is every kind of difference at every provider.
var kinds = map[domain.DiscrepancyKind]map[string]string{
	domain.MissingCredit: everywhere(),
	domain.OnlyOurs:      everywhere(),
	domain.OnlyTheirs: but(everywhere(), sandbox.Name,
		"the gateway makes no bill: what we do not know nobody can ask about by name"),
	domain.AmountMismatch: but(everywhere(), sandbox.Name,
		"the gateway is asked about credits only, and another amount is parked, not credited: see otherAmount"),
	domain.CurrencyMismatch: only(stripe.Name, planted, "the provider takes yuan only"),
	domain.StatusMismatch: {
		sandbox.Name:   planted,
		wechatpay.Name: planted,
		alipay.Name:    "its bill lists what succeeded only, and its callbacks, which strangers can verify, wait for nothing",
		stripe.Name:    "its list has what moved the balance only, and its callbacks wait for nothing",
	},
	domain.Frozen: only(sandbox.Name, planted, "the provider has no state in which an order's money is held back"),
	domain.SecondPayment: {
		sandbox.Name:   "both payments are told by callbacks and the second is parked: see second; without a callback nobody can ask about it by name",
		wechatpay.Name: "an order number that was paid cannot be paid again",
		alipay.Name:    "an order number that was paid cannot be paid again",
		stripe.Name:    planted,
	},
	domain.DuplicateTradeNo: everywhere(),
	domain.RefundMissing:    everywhere(),
	domain.RefundUnknown: {
		sandbox.Name:   "refunds are booked from sums, which no answer lists one by one",
		wechatpay.Name: planted,
		alipay.Name:    planted,
		stripe.Name:    "a refund without its balance transaction cannot be had: the list is the balance's own",
	},
	domain.FeeMismatch: {
		sandbox.Name:   "answers tell no fees",
		wechatpay.Name: "the sandbox charges by one rate, which is the contract's; the comparison is the one that Stripe's yen go through",
		alipay.Name:    "as at WeChat Pay",
		stripe.Name:    planted,
	},
	domain.PayoutMismatch: {
		sandbox.Name:   "the gateway pays nothing out",
		wechatpay.Name: "no line of its bills names the withdrawal it went into",
		alipay.Name:    "no line of its bills names the withdrawal it went into",
		stripe.Name:    planted,
	},
	domain.UnclassifiedMovement: but(everywhere(), sandbox.Name, "the gateway keeps no balance that could move"),
	domain.BillTotalMismatch: {
		sandbox.Name:   "the gateway makes no bill",
		wechatpay.Name: "v2 makes one bill, and v3's are not changed in this month: the comparison is the one that Alipay's go through",
		alipay.Name:    planted,
		stripe.Name:    "the provider makes one list, without balances",
	},
	domain.Timing: everywhere(), // it waits for a later bill
}

func everywhere() map[string]string {
	return map[string]string{sandbox.Name: planted, wechatpay.Name: planted, alipay.Name: planted, stripe.Name: planted}
}

func but(all map[string]string, name, why string) map[string]string {
	all[name] = why
	return all
}

// only is a kind of one provider alone.
func only(name, there, elsewhere string) map[string]string {
	all := everywhere()
	for n := range all {
		all[n] = elsewhere
	}
	all[name] = there
	return all
}

// Each kind that the domain knows has its place in the table, and the month
// plants what the table says, by design and not by chance: whatever the seed.
func TestEveryKindIsPlanted(t *testing.T) {
	t.Parallel()
	for _, kind := range kindsOfDomain(t) {
		if kinds[kind] == nil {
			t.Errorf("%s has no row: where is it planted, and where can it not be?", kind)
		}
	}
	for _, seed := range []uint64{1, 47} {
		found := newWorld(t, seed, 1).plan.kinds()
		for kind, at := range kinds {
			for name, says := range at {
				if has := slices.Contains(found, name+" "+string(kind)); has != (says == planted) {
					t.Errorf("seed %d: %s at %s: planted %t, and the table says %q", seed, kind, name, has, says)
				}
			}
			if len(at) != 4 {
				t.Errorf("%s: %d providers", kind, len(at))
			}
		}
	}
}

// kindsOfDomain are the constants of the type, from the domain's own text.
func kindsOfDomain(tb testing.TB) (all []domain.DiscrepancyKind) {
	tb.Helper()
	files, err := filepath.Glob("../../../domain/*.go")
	if err != nil || len(files) == 0 {
		tb.Fatal(err, files)
	}
	for _, name := range files {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			tb.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			v, ok := n.(*ast.ValueSpec)
			if id, named := typeOf(v, ok).(*ast.Ident); named && id.Name == "DiscrepancyKind" {
				text, err := strconv.Unquote(v.Values[0].(*ast.BasicLit).Value)
				if err != nil {
					tb.Fatal(err)
				}
				all = append(all, domain.DiscrepancyKind(text))
			}
			return true
		})
	}
	if len(all) < 16 { // what the books' rules name
		tb.Fatalf("the domain has %d kinds: %v", len(all), all)
	}
	return all
}

func typeOf(v *ast.ValueSpec, ok bool) ast.Expr {
	if !ok || len(v.Values) == 0 {
		return nil
	}
	return v.Type
}

// kinds are those that the plan expects, by provider. What waits for a later
// bill is told as timing.
func (p *plan) kinds() (all []string) {
	for _, f := range p.rows {
		all = append(all, f.till.face.Name()+" "+string(f.kind))
	}
	for _, h := range p.heals {
		part := strings.Fields(h)
		all = append(all, p.w.tillOf(domain.ChannelID(part[0])).face.Name()+" "+part[1])
	}
	for _, l := range p.late {
		ch, _, _ := strings.Cut(l, " ")
		all = append(all, p.w.tillOf(domain.ChannelID(ch)).face.Name()+" "+string(domain.Timing))
	}
	return all
}
