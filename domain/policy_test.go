package domain_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"counterfoil/domain"

	"pgregory.net/rapid"
)

// rungs are settings from the tightest to the loosest, by what they bound. A
// step down a ladder tightens and a step up loosens, whatever else changes.
var rungs = map[string][]func(*domain.ChannelConfigured){
	"confirm": {
		func(c *domain.ChannelConfigured) { c.Confirm = domain.ConfirmAlways },
		func(c *domain.ChannelConfigured) { c.Confirm, c.ConfirmAbove = domain.ConfirmAbove, five },
		func(c *domain.ChannelConfigured) { c.Confirm, c.ConfirmAbove = domain.ConfirmAbove, ten },
		func(c *domain.ChannelConfigured) { c.Confirm = domain.ConfirmNever },
	},
	"item":        limitRungs(func(p *domain.CorrectionPolicy) *domain.Money { return &p.Item }),
	"person_day":  limitRungs(func(p *domain.CorrectionPolicy) *domain.Money { return &p.PersonDay }),
	"account_day": limitRungs(func(p *domain.CorrectionPolicy) *domain.Money { return &p.AccountDay }),
	"account_from": {
		func(*domain.ChannelConfigured) {},
		func(c *domain.ChannelConfigured) { c.AccountFrom = "attach" },
	},
	"currencies": {
		func(*domain.ChannelConfigured) {},
		func(c *domain.ChannelConfigured) { c.Currencies = []domain.Currency{domain.CNY, domain.USD} },
		func(c *domain.ChannelConfigured) {
			c.Currencies = []domain.Currency{domain.CNY, domain.USD, domain.JPY}
		},
	},
	"pins": {
		func(c *domain.ChannelConfigured) {
			c.PublicKeys = []domain.PublicKey{{Fingerprint: "a", Use: "platform", Obtained: "config 1"}}
		},
		func(c *domain.ChannelConfigured) {
			c.PublicKeys = []domain.PublicKey{{Fingerprint: "a", Use: "platform", Obtained: "download"}}
		},
	},
	"fee_rate":    rateRungs(func(t *domain.Tolerance) *string { return &t.FeeRate }),
	"fee_within":  rateRungs(func(t *domain.Tolerance) *string { return &t.FeeWithin }),
	"cut":         countRungs(func(t *domain.Tolerance) *int { return &t.Cut }, 0, 60, 3600),
	"apart":       countRungs(func(t *domain.Tolerance) *int { return &t.Apart }, 1, 60, 0),
	"wait_days":   countRungs(func(t *domain.Tolerance) *int { return &t.WaitDays }, 0, 1, 2),
	"max_items":   countRungs(func(t *domain.Tolerance) *int { return &t.MaxItems }, 1, 50, 5000),
	"max_percent": countRungs(func(t *domain.Tolerance) *int { return &t.MaxPercent }, 1, 20, 100),

	"max_proposals":        countRungs(func(t *domain.Tolerance) *int { return &t.MaxProposals }, 1, 20, 10_000, 0),
	"max_proposal_percent": countRungs(func(t *domain.Tolerance) *int { return &t.MaxProposalPercent }, 1, 5, 100, 0),
}

func limitRungs(of func(*domain.CorrectionPolicy) *domain.Money) []func(*domain.ChannelConfigured) {
	set := func(m domain.Money) func(*domain.ChannelConfigured) {
		return func(c *domain.ChannelConfigured) {
			if c.Corrections == nil {
				c.Corrections = &domain.CorrectionPolicy{}
			}
			*of(c.Corrections) = m
		}
	}
	return []func(*domain.ChannelConfigured){set(five), set(ten), func(*domain.ChannelConfigured) {}}
}

func countRungs(of func(*domain.Tolerance) *int, values ...int) []func(*domain.ChannelConfigured) {
	var out []func(*domain.ChannelConfigured)
	for _, v := range values {
		out = append(out, func(c *domain.ChannelConfigured) { *of(c.Tolerance) = v })
	}
	return out
}

func rateRungs(of func(*domain.Tolerance) *string) []func(*domain.ChannelConfigured) {
	var out []func(*domain.ChannelConfigured)
	for _, v := range []string{"0", "0.006", "0.0070", ""} {
		out = append(out, func(c *domain.ChannelConfigured) { *of(c.Tolerance) = v })
	}
	return out
}

// onRungs are settings on the given rungs.
func onRungs(on map[string]int) domain.ChannelConfigured {
	c := minimalChannel()
	c.Tolerance = &domain.Tolerance{}
	for name, i := range on {
		rungs[name][i](&c)
	}
	return c
}

// TestLooseningAsks: tightening never asks, loosening always does, each by its
// own name; what is in force at once is as tight as both.
func TestLooseningAsks(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		was, is, force := map[string]int{}, map[string]int{}, map[string]int{}
		looser := 0
		for name, ladder := range rungs {
			was[name] = rapid.IntRange(0, len(ladder)-1).Draw(t, name+" was")
			is[name] = rapid.IntRange(0, len(ladder)-1).Draw(t, name+" is")
			force[name] = min(was[name], is[name])
			if is[name] > was[name] {
				looser++
			}
		}
		old, next, want := onRungs(was), onRungs(is), onRungs(force)
		next.Gateway = "https://elsewhere.example/" // in force at once, whatever waits
		want.Gateway = next.Gateway
		got, words := domain.Hold(old, next)
		if len(words) != looser {
			t.Fatalf("%d settings are looser, %q are named", looser, words)
		}
		if again := domain.Loosened(old, got); len(again) > 0 {
			t.Errorf("what is in force at once loosens %q", again)
		}
		// What is in force neither tightens nor loosens what should be.
		if a, b := domain.Loosened(want, got), domain.Loosened(got, want); len(a)+len(b) > 0 || got.Gateway != next.Gateway {
			t.Errorf("in force: %+v\nwant: %+v\n%q %q", got, want, a, b)
		}
		if looser == 0 && !reflect.DeepEqual(got, next) {
			t.Errorf("nothing is looser, and what is in force is not what was asked for")
		}
	})
}

// TestOtherWaysToLoosen: what has no tighter end asks with every change.
func TestOtherWaysToLoosen(t *testing.T) {
	t.Parallel()
	wide := wideChannel()
	for name, change := range map[string]func(*domain.ChannelConfigured){
		"dispute_lost":     func(c *domain.ChannelConfigured) { c.DisputeLost = "" },
		"account_from":     func(c *domain.ChannelConfigured) { c.AccountFrom = "metadata.account" },
		"currencies":       func(c *domain.ChannelConfigured) { c.Currency, c.Currencies = domain.JPY, nil },
		"correction_limit": func(c *domain.ChannelConfigured) { c.Corrections.Item = domain.NewMoney(1, domain.JPY) },
		"confirm_by_query": func(c *domain.ChannelConfigured) { c.Confirm = domain.ConfirmNever },
	} {
		old, next := wide, wide
		old.Corrections, next.Corrections = &domain.CorrectionPolicy{Item: ten}, &domain.CorrectionPolicy{Item: ten}
		change(&next)
		got, words := domain.Hold(old, next)
		if len(words) != 1 || !strings.HasPrefix(words[0], name+": ") {
			t.Errorf("%s is named %q", name, words)
		}
		if again := domain.Loosened(old, got); len(again) > 0 {
			t.Errorf("%s: in force at once is %q", name, again)
		}
		if _, _, err := domain.EncodeFact(got); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestEverySettingIsJudged: a new member of the settings must be put into one of
// these lists, by somebody who thought about whether it can loosen.
func TestEverySettingIsJudged(t *testing.T) {
	t.Parallel()
	judged := []string{"Currency", "Confirm", "ConfirmAbove", "PublicKeys", "Currencies", "AccountFrom", "Corrections", "DisputeLost", "Tolerance"}
	told := []string{"Channel", "Revision", "Provider", "Protocol", "Merchant", "Zone", "Gateway", "Funds", "Secrets", "Test"}
	for _, typ := range []reflect.Type{reflect.TypeFor[domain.CorrectionPolicy](), reflect.TypeFor[domain.Tolerance]()} {
		for i := range typ.NumField() {
			judged = append(judged, typ.Name()+"."+typ.Field(i).Name)
		}
	}
	if n := reflect.TypeFor[domain.CorrectionPolicy]().NumField() + reflect.TypeFor[domain.Tolerance]().NumField(); n != 12 {
		t.Errorf("%d bounds: put the new one into the ladders above", n)
	}
	typ := reflect.TypeFor[domain.ChannelConfigured]()
	for i := range typ.NumField() {
		if name := typ.Field(i).Name; !slices.Contains(judged, name) && !slices.Contains(told, name) {
			t.Errorf("nobody has said whether %s can loosen a policy", name)
		}
	}
}

// TestDifferencesTellAll: every member that changes is told, and equal settings
// have no difference and one hash.
func TestDifferencesTellAll(t *testing.T) {
	t.Parallel()
	old := minimalChannel()
	full := fullChannel()
	full.Tolerance = &domain.Tolerance{FeeRate: "0.006"}
	full.DisputeLost, full.AccountFrom, full.Currencies = domain.LostByExpense, "attach", []domain.Currency{domain.USD}
	full.Corrections = &domain.CorrectionPolicy{Item: ten}
	text := strings.Join(domain.Differences(old, full), "\n")
	for _, want := range []string{
		"confirm_by_query: above CNY 500.00, was always", "merchant app: 2021000, was none", "platform key sha256:0a1b: obtained: config",
		"md5 secret hmac:2c3d: in use, was none", "test: true, was false", "account_from: attach", "dispute_lost: expense",
		"correction_limit: CNY 10.00", "fee_rate: 0.006", "currencies: USD, was CNY",
	} {
		if !strings.Contains(text, want) && !strings.Contains(strings.ReplaceAll(text, "500.00 CNY", "CNY 500.00"), want) &&
			!strings.Contains(strings.ReplaceAll(text, "10.00 CNY", "CNY 10.00"), want) {
			t.Errorf("%q is not told in\n%s", want, text)
		}
	}
	if d := domain.Differences(full, full); len(d) > 0 {
		t.Errorf("equal settings differ: %q", d)
	}
	one, err := domain.PolicyHash(full)
	if err != nil {
		t.Fatal(err)
	}
	full.Revision = 9
	if two, err := domain.PolicyHash(full); err != nil || one != two {
		t.Errorf("the revision is part of the hash (%v)", err)
	}
}
