package sandbox

import (
	"net/url"
	"slices"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/providers/epay"
)

// Faults in how a genuine payment is told: the books always have it once.
func TestFaultsOfDelivery(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault Fault
		want  []time.Duration // when the genuine callbacks come
	}{
		"none":                                   {Fault{}, []time.Duration{0}},
		"lost":                                   {Fault{Class: Lost}, nil},
		"repeated":                               {Fault{Class: Repeated, Copies: 2}, []time.Duration{0, time.Second, 2 * time.Second}},
		"double":                                 {Fault{Class: Double}, []time.Duration{0, 0}},
		"concurrent":                             {Fault{Class: Concurrent, Copies: 3}, []time.Duration{0, 0, 0}},
		"late":                                   {Fault{Class: Late}, []time.Duration{30 * time.Minute}},
		"late by":                                {Fault{Class: Late, Delay: Duration(time.Hour)}, []time.Duration{time.Hour}},
		"extra":                                  {Fault{Class: ExtraField}, []time.Duration{0}},
		"replay":                                 {Fault{Class: ReturnReplay, Copies: 2}, []time.Duration{0, time.Second, 2 * time.Second}},
		"reordered, with nothing to overtake it": {Fault{Class: Reordered}, []time.Duration{3 * time.Minute}},
	} {
		for _, m := range []MerchantConfig{v1Merchant(Rainbow), v2Merchant()} {
			t.Run(name+"/"+string(m.Version), func(t *testing.T) {
				t.Parallel()
				bubble(t, Config{Merchants: []MerchantConfig{m}}, func(t *testing.T, s *Sandbox, h *shop) {
					began := time.Now()
					pay(t, s, opened(t, s, m.PID, "A1", "7.30").TradeNo, c.fault)
					var at []time.Duration
					for _, x := range h.all() {
						at = append(at, x.at.Sub(began).Round(time.Millisecond))
						if !holds(x.form) {
							t.Errorf("signature of %v does not hold", x.form)
						}
					}
					if !slices.Equal(at, c.want) {
						t.Errorf("callbacks at %v, want %v", at, c.want)
					}
					b := s.Books().Merchants[0]
					if len(b.Paid) != 1 || b.Totals[0].Credited.Amount() != "7.30" || !b.Totals[0].Parked.IsZero() {
						t.Errorf("books %+v", b)
					}
					if c.fault.Class != None && b.Planted[c.fault.Class] != 1 {
						t.Errorf("planted %v", b.Planted)
					}
				})
			})
		}
	}
}

func TestDoubleComesOnceEachWay(t *testing.T) {
	t.Parallel()
	bubble(t, Config{Merchants: []MerchantConfig{v1Merchant(Rainbow)}}, func(t *testing.T, s *Sandbox, h *shop) {
		pay(t, s, opened(t, s, "1001", "A1", "7.30").TradeNo, Fault{Class: Double})
		if came := h.all(); len(came) != 2 || came[0].method != "GET" || came[1].method != "POST" ||
			came[0].form.Encode() != came[1].form.Encode() {
			t.Errorf("came %+v", came)
		}
	})
}

func TestReorderedIsOvertaken(t *testing.T) {
	t.Parallel()
	bubble(t, Config{Merchants: []MerchantConfig{v1Merchant(Rainbow)}}, func(t *testing.T, s *Sandbox, h *shop) {
		for _, no := range []string{"A1", "A2"} {
			if _, err := s.PayWith(opened(t, s, "1001", no, "7.30").TradeNo, Fault{Class: Reordered}); err != nil {
				t.Fatal(err)
			}
		}
		pay(t, s, opened(t, s, "1001", "A3", "7.30").TradeNo)
		var order []string
		for _, c := range h.all() {
			order = append(order, c.form.Get("out_trade_no"))
		}
		if !slices.Equal(order, []string{"A3", "A2", "A1"}) {
			t.Errorf("came in the order %v", order)
		}
	})
}

// Messages that are not the payment come before it, and alone when nobody
// pays.
func TestSpoofs(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault  Fault
		before int  // messages before the genuine callback
		signed bool // their signatures hold
		check  func(url.Values) bool
	}{
		"forged":          {Fault{Class: Forged}, 4, false, nil},
		"wrong signature": {Fault{Class: Forged, Variant: WrongSignature}, 1, false, nil},
		"empty key": {Fault{Class: Forged, Variant: EmptyKey}, 1, false, func(f url.Values) bool {
			return f.Get("sign") == epay.SignMD5(epay.Text(params(f)), "") && f.Get("sign_type") == "MD5"
		}},
		"downgraded": {Fault{Class: Forged, Variant: Downgraded}, 1, false, nil},
		"tampered":   {Fault{Class: Forged, Variant: Tampered}, 1, false, func(f url.Values) bool { return f.Get("money") == "8.3" }},
		"other pid":  {Fault{Class: OtherPID}, 1, true, func(f url.Values) bool { return f.Get("pid") == "3003" }},
		"wrong status": {Fault{Class: WrongStatus}, 1, true, func(f url.Values) bool {
			return f.Get("trade_status") == "TRADE_CLOSED"
		}},
		"waiting": {Fault{Class: WrongStatus, Status: "WAIT_BUYER_PAY"}, 1, true, func(f url.Values) bool {
			return f.Get("trade_status") == "WAIT_BUYER_PAY"
		}},
		"minted": {Fault{Class: Minted}, 1, true, func(f url.Values) bool { return f.Get("trade_status") == success }},
	} {
		for _, m := range []MerchantConfig{v1Merchant(Rainbow), v2Merchant()} {
			for _, unpaid := range []bool{false, true} {
				t.Run(name+"/"+string(m.Version), func(t *testing.T) {
					t.Parallel()
					merchants := []MerchantConfig{m, {PID: "3003"}}
					bubble(t, Config{Merchants: merchants}, func(t *testing.T, s *Sandbox, h *shop) {
						fault := c.fault
						fault.Unpaid = unpaid
						o := pay(t, s, opened(t, s, m.PID, "A1", "7.30").TradeNo, fault)
						came := h.all()
						want := c.before + 1
						if unpaid {
							want--
						}
						if len(came) != want || (o.Status == statusPaid) == unpaid {
							t.Fatalf("%d messages, want %d; order %+v", len(came), want, o)
						}
						for _, x := range came[:c.before] {
							if holds(x.form) != c.signed || (c.check != nil && !c.check(x.form)) {
								t.Errorf("sent %v", x.form)
							}
						}
						if !unpaid && !holds(came[c.before].form) {
							t.Error("the genuine one does not hold")
						}
						b := s.Books().Merchants[0]
						if (len(b.Paid) == 0) != unpaid || b.Planted[fault.Class] != 1 || (b.Unpaid[fault.Class] == 1) != unpaid {
							t.Errorf("books %+v", b)
						}
					})
				})
			}
		}
	}
}

// The attack on the unescaped text: one signature, two messages.
func TestAmbiguousTextNamesTheVictim(t *testing.T) {
	t.Parallel()
	for _, m := range []MerchantConfig{v1Merchant(Rainbow), v2Merchant()} {
		t.Run(string(m.Version), func(t *testing.T) {
			t.Parallel()
			bubble(t, Config{Merchants: []MerchantConfig{m}}, func(t *testing.T, s *Sandbox, h *shop) {
				pay(t, s, opened(t, s, m.PID, "VICTIM", "7.30").TradeNo, Fault{Class: Ambiguous})
				came := h.all()
				if len(came) != 3 {
					t.Fatalf("%d messages", len(came))
				}
				cut, cheap := came[0].form, came[1].form
				if !holds(cut) || cut.Get("out_trade_no") != "VICTIM" || cut.Get("name") != "x" || cut.Get("money") != "0.01" {
					t.Errorf("cut anew: %v", cut)
				}
				if !holds(cheap) || cheap.Get("trade_no") != cut.Get("trade_no") || cheap.Get("out_trade_no") == "VICTIM" ||
					epay.Text(params(cheap)) != epay.Text(params(cut)) {
					t.Errorf("genuine: %v", cheap)
				}
				b := s.Books().Merchants[0]
				if b.Totals[0].Credited.Amount() != "7.30" || b.Totals[0].Parked.Amount() != "0.01" || b.Opened != 1 {
					t.Errorf("books %+v", b)
				}
			})
		})
	}
}

func TestOtherAmountIsWhatTheBooksSay(t *testing.T) {
	t.Parallel()
	bubble(t, Config{Merchants: []MerchantConfig{v1Merchant(Rainbow)}}, func(t *testing.T, s *Sandbox, h *shop) {
		o := pay(t, s, opened(t, s, "1001", "A1", "7.30").TradeNo, Fault{Class: OtherAmount})
		same := pay(t, s, opened(t, s, "1001", "A2", "0.01").TradeNo, Fault{Class: OtherAmount})
		came := h.all()
		if o.Money != "0.01" || o.Placed != "7.30" || came[0].form.Get("money") != "0.01" || !holds(came[0].form) {
			t.Errorf("order %+v told as %v", o, came[0].form)
		}
		if same.Money != "0.02" {
			t.Errorf("an order over just the other amount was paid with %s", same.Money)
		}
		b := s.Books().Merchants[0]
		if !b.Totals[0].Credited.IsZero() || b.Totals[0].Parked.Amount() != "0.03" {
			t.Errorf("totals %+v", b.Totals)
		}
		_, answer := ask(t, s, "GET", "/api.php?act=order&pid=1001&key="+testKey+"&trade_no="+o.TradeNo, "")
		if decode(t, answer)["money"] != "0.01" {
			t.Errorf("query says %s", answer)
		}
	})
}

// A second trade number on a paid order is money of its own.
func TestMoneyPaidTwice(t *testing.T) {
	t.Parallel()
	for _, class := range []Class{SecondTrade, Reused} {
		t.Run(string(class), func(t *testing.T) {
			t.Parallel()
			bubble(t, Config{Merchants: []MerchantConfig{v1Merchant(Rainbow)}}, func(t *testing.T, s *Sandbox, h *shop) {
				pay(t, s, opened(t, s, "1001", "A1", "7.30").TradeNo, Fault{Class: class})
				came := h.all()
				if len(came) != 2 || came[0].form.Get("out_trade_no") != came[1].form.Get("out_trade_no") ||
					came[0].form.Get("trade_no") == came[1].form.Get("trade_no") || !holds(came[1].form) {
					t.Fatalf("came %+v", came)
				}
				b := s.Books().Merchants[0]
				if b.Totals[0].Credited.Amount() != "7.30" || b.Totals[0].Parked.Amount() != "7.30" || b.Opened != 1 {
					t.Errorf("books %+v", b)
				}
				orders := s.Orders("1001", "A1", 0)
				added, err := time.Parse(time.DateTime, orders[1].AddTime)
				if err != nil {
					t.Fatal(err)
				}
				again, err := time.Parse(time.DateTime, orders[0].AddTime)
				if err != nil {
					t.Fatal(err)
				}
				if apart := again.Sub(added); (apart > reopenable) != (class == Reused) {
					t.Errorf("opened %s apart", apart)
				}
			})
		})
	}
}

func TestFireOnAPaidOrder(t *testing.T) {
	t.Parallel()
	for class, want := range map[Class]int{
		None: 1, Repeated: 3, Double: 2, Concurrent: 4, Late: 1, Reordered: 1, SecondTrade: 1, Reused: 1, ReturnReplay: 2,
		Forged: 4, OtherPID: 1, WrongStatus: 1, Minted: 1, Ambiguous: 2, ExtraField: 1,
	} {
		t.Run(string(class), func(t *testing.T) {
			t.Parallel()
			bubble(t, Config{Merchants: []MerchantConfig{v1Merchant(Rainbow)}}, func(t *testing.T, s *Sandbox, h *shop) {
				o := pay(t, s, opened(t, s, "1001", "A1", "7.30").TradeNo)
				if _, err := s.Fire(o.TradeNo, Fault{Class: class}); err != nil {
					t.Fatal(err)
				}
				settle(t, s)
				if n := len(h.all()) - 1; n != want {
					t.Errorf("%d more messages, want %d", n, want)
				}
			})
		})
	}
	for _, class := range []Class{Lost, OtherAmount} {
		bubble(t, Config{Merchants: []MerchantConfig{v1Merchant(Rainbow)}}, func(t *testing.T, s *Sandbox, _ *shop) {
			o := pay(t, s, opened(t, s, "1001", "A1", "7.30").TradeNo)
			if _, err := s.Fire(o.TradeNo, Fault{Class: class}); domain.KindOf(err) != domain.KindConflict {
				t.Errorf("%s on a paid order gives %v", class, err)
			}
		})
	}
}

func TestFaultsAreChecked(t *testing.T) {
	t.Parallel()
	bubble(t, Config{Merchants: []MerchantConfig{v1Merchant(Rainbow)}}, func(t *testing.T, s *Sandbox, _ *shop) {
		o := opened(t, s, "1001", "A1", "7.30")
		for _, faults := range [][]Fault{
			{{Class: "nonsense"}},
			{{Class: Lost, Unpaid: true}},
			{{Class: Repeated, Copies: -1}},
			{{Class: Repeated, Copies: 1001}},
			{{Class: Late, Delay: -1}},
			{{Class: OtherAmount, Money: "1e3"}},
			{{Class: Forged, Variant: "nonsense"}},
			{{Class: Lost}, {Class: Late}},
		} {
			if _, err := s.PayWith(o.TradeNo, faults...); domain.KindOf(err) != domain.KindInvalid {
				t.Errorf("%+v gives %v", faults, err)
			}
		}
		pay(t, s, o.TradeNo)
		if _, err := s.Pay(o.TradeNo); domain.KindOf(err) != domain.KindConflict {
			t.Errorf("paying twice gives %v", err)
		}
		if _, err := s.Pay("none"); domain.KindOf(err) != domain.KindNotFound {
			t.Errorf("paying an unknown order gives %v", err)
		}
	})
}

func TestNextFaultsAreUsedUpInOrder(t *testing.T) {
	t.Parallel()
	bubble(t, Config{Merchants: []MerchantConfig{v1Merchant(Rainbow)}}, func(t *testing.T, s *Sandbox, h *shop) {
		if err := s.Next("1001", Fault{Class: Lost}); err != nil {
			t.Fatal(err)
		}
		if err := s.Next("1001", Fault{Class: Double}, Fault{Class: QueryMissing}); err != nil {
			t.Fatal(err)
		}
		for i, want := range []int{0, 2, 3} {
			if _, err := s.Pay(opened(t, s, "1001", itoa(int64(i)), "7.30").TradeNo); err != nil {
				t.Fatal(err)
			}
			settle(t, s)
			if n := len(h.all()); n != want {
				t.Errorf("after payment %d: %d callbacks, want %d", i, n, want)
			}
		}
	})
}
