package alipay

import (
	"bytes"
	"iter"
	"net/http"
	"slices"
	"strings"
	"testing"

	"counterfoil/domain"
	"counterfoil/internal/strictjson"
	"counterfoil/providers"
)

// cuts yields every message that the signed text could be: each '&' ends a
// field or stands in a value, and each '=' of a field may be the one that ends
// its name.
func cuts(text string) iter.Seq[Params] {
	pieces := strings.Split(text, "&")
	return func(yield func(Params) bool) { cutFrom(pieces, nil, yield) }
}

// cutFrom completes the fields in front of pieces in every way.
func cutFrom(pieces []string, before Params, yield func(Params) bool) bool {
	if len(pieces) == 0 {
		return yield(slices.Clone(before))
	}
	for n := 1; n <= len(pieces); n++ {
		field := strings.Join(pieces[:n], "&")
		for at := 0; at <= len(field); at++ {
			if at < len(field) && field[at] != '=' {
				continue
			}
			p := Param{Name: field}
			if at < len(field) {
				p = Param{field[:at], field[at+1:]}
			}
			if !cutFrom(pieces[n:], append(slices.Clone(before), p), yield) {
				return false
			}
		}
	}
	return true
}

// short is a notice of few fields, so that it can be cut in every way.
func short(more ...Param) Params {
	p := Params{
		{"app_id", testApp},
		{"out_trade_no", "A1"},
		{"seller_id", testSeller},
		{"subject", "x"},
		{"total_amount", "0.01"},
		{"trade_no", "T1"},
		{"trade_status", "TRADE_SUCCESS"},
	}
	for _, m := range more {
		p = p.With(m.Name, m.Value)
	}
	return p
}

// TestRecut reads every message that a rightly signed text could be. Only the
// one that was signed may pass without a doubt, and not even that one if its
// own values could be fields.
func TestRecut(t *testing.T) {
	t.Parallel()
	c := newChannel(t, testConfig())
	for _, tt := range []struct {
		name   string
		fields Params
		clean  bool // the original has no doubts
	}{
		{"plain", short(), true},
		{"signs in the goods", short(Param{"subject", "a=b&c&=d & e"}), true},
		{"account", short(Param{"passback_params", "u%3D7"}), true},
		{"swallowed by total", short(Param{"subject", "x&total_amount=9999.00&total_zz=1"}), false},
		{"two accounts", short(Param{"passback_params", "u7&passback_zz=1"}), false},
		{"another order", short(Param{"body", "x&out_trade_no=VICTIM&p=1"}), false},
		{"a refund", short(Param{"passback_params", "x&refund_fee=0.01"}), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			text := NoticeText(tt.fields)
			original := providers.SortFields(slices.Clone(tt.fields))
			sign := signed(tt.fields).Value("sign")
			seen, clean := 0, 0
			for fields := range cuts(text) {
				seen++
				if NoticeText(fields) != text && NoticeText(withoutEmpty(fields)) != text {
					continue // another text: the mutants of the suite show that no signature holds for it
				}
				got, _, err := c.Read(posted(append(slices.Clone(fields), Param{"sign", sign}, Param{"sign_type", "RSA2"})))
				if err != nil || slices.ContainsFunc(got.Notices, func(n domain.Notice) bool { return len(n.Doubts) > 0 }) {
					continue
				}
				clean++
				if !slices.Equal(fields, original) {
					t.Errorf("%v passes as %v", original, fields)
				}
			}
			if seen < 64 || (clean == 1) != tt.clean {
				t.Errorf("%d of %d readings pass", clean, seen)
			}
		})
	}
}

// TestSpellings: a true notice with something that a lenient parser would take
// for one of its fields. The signature is what it was.
func TestSpellings(t *testing.T) {
	t.Parallel()
	c := newChannel(t, testConfig())
	body := Encode(signed(notice()))
	for _, extra := range []string{
		"Total_Amount=0.01", "TOTAL_AMOUNT=0.01", "total_amount[]=0.01", "total_amount%20=0.01", "%74otal_amount=0.01",
		"total_amount.=0.01", "+total_amount=0.01", " total_amount=0.01", "total_amount\x00=0.01", "total-amount=0.01", ";total_amount=0.01",
		"total_amount", "trade_status=TRADE_FINISHED", "app_id=1", "seller_id=2088000000000000", "ｔotal_amount=1", "=0.01", "x=%", "x=%1",
	} {
		for _, b := range []string{body + "&" + extra, extra + "&" + body} {
			if reason, err := refusedBy(c, post(b)); err != nil {
				t.Errorf("%q: %v (%s)", extra, err, reason)
			}
		}
	}
}

func refusedBy(c *Channel, r providers.Request) (domain.Reason, error) {
	read, refusal, err := c.Read(r)
	if err == nil {
		return "", domain.E(domain.KindInternal, "accepted: %+v", read.Notices)
	}
	return refusal.Reason, nil
}

// TestAmounts: rightly signed, but nothing that is an amount of yuan.
func TestAmounts(t *testing.T) {
	t.Parallel()
	c := newChannel(t, testConfig())
	for _, amount := range []string{
		"1e9", "1E+2", "0x10", "0X1p-2", "NaN", "Inf", "-0", "-1", "+1", ".5", "5.", "1_0", "1,000", " 1", "1 ", "00012", "١٢", "１２",
		"1\x00", "9223372036854775808", "0." + strings.Repeat("1", 40), "1.005", "", "0", "0.00", "10.001", strings.Repeat("9", 60000),
	} {
		for _, field := range []string{"total_amount", "refund_fee"} {
			if field == "refund_fee" && (amount == "" || amount == "0" || amount == "0.00") {
				continue // no refund
			}
			if reason, err := refusedBy(c, posted(signed(notice(Param{field, amount})))); err != nil {
				t.Errorf("%s = %.40q: %v %s", field, amount, err, reason)
			}
		}
	}
	for amount, fen := range map[string]int64{"10": 1000, "10.0": 1000, "0.01": 1, "10.0000": 1000, "100000000.00": 1e10} {
		got, _, err := c.Read(posted(signed(notice(Param{"total_amount", amount}))))
		if err != nil || got.Notices[0].Amount != yuan(fen) {
			t.Errorf("%s: %+v, %v", amount, got.Notices, err)
		}
	}
}

// TestCurrencies: a trade that was priced in another currency is never read as
// yuan, and one in a currency that nobody knows is not read at all.
func TestCurrencies(t *testing.T) {
	t.Parallel()
	c := newChannel(t, testConfig())
	for code, want := range map[string]domain.Money{
		"": yuan(1000), "CNY": yuan(1000), "USD": domain.NewMoney(1000, domain.USD), "JPY": domain.NewMoney(10, domain.JPY),
	} {
		got, _, err := c.Read(posted(signed(notice(Param{"trans_currency", code}))))
		if err != nil || got.Notices[0].Amount != want {
			t.Errorf("%s: %+v, %v", code, got.Notices, err)
		}
		s, err := c.readOpened(opened(t, strings.Replace(paidInner, `"total_amount"`, `"trans_currency":"`+code+`","total_amount"`, 1)), methodQuery, asked{})
		if err != nil || s.notices[0].Amount != want {
			t.Errorf("query in %s: %+v, %v", code, s.notices, err)
		}
	}
	for _, code := range []string{"cny", "XXX", "C", "CNY\x00"} {
		if reason, err := refusedBy(c, posted(signed(notice(Param{"trans_currency", code})))); err != nil || reason != domain.ReasonUnreadable {
			t.Errorf("%q: refused with %s: %v", code, reason, err)
		}
	}
}

// opened is an answer whose signature was checked.
func opened(t *testing.T, inner string) envelope {
	t.Helper()
	members, err := strictjson.Object([]byte(inner))
	if err != nil {
		t.Fatal(err)
	}
	return envelopeOf(members, "sha256:x")
}

// TestStates: what each word comes to, with and without what tells of refunds.
// Only the two words for it are a payment.
func TestStates(t *testing.T) {
	t.Parallel()
	c := newChannel(t, testConfig())
	for _, word := range []string{"WAIT_BUYER_PAY", "TRADE_SUCCESS", "TRADE_FINISHED", "TRADE_CLOSED", "trade_success", "TRADE_SUCCESS ", "成功", "0"} {
		for _, paidAt := range []string{"", "2026-02-14 10:00:05"} {
			for _, fee := range []string{"", "0.00", "4.00"} {
				p := notice(Param{"trade_status", word}, Param{"gmt_payment", paidAt}, Param{"refund_fee", fee})
				got, _, err := c.Read(posted(signed(p)))
				if err != nil {
					t.Fatalf("%s: %v", word, err)
				}
				paid := word == "TRADE_SUCCESS" || word == "TRADE_FINISHED" || (word == "TRADE_CLOSED" && (paidAt != "" || fee == "4.00"))
				refunded := fee == "4.00" || (word == "TRADE_CLOSED" && paidAt != "")
				if (got.Notices[0].Status == domain.StatusPaid) != paid || (len(got.Notices) == 2) != refunded {
					t.Errorf("%s, paid at %q, refunded %q: %+v", word, paidAt, fee, got.Notices)
				}
			}
		}
	}
}

// TestTransport: bodies that are too long, packed, or no form; host names and
// forwarding headers say nothing.
func TestTransport(t *testing.T) {
	t.Parallel()
	c := newChannel(t, testConfig())
	for want, change := range map[domain.Reason]func(*providers.Request){
		domain.ReasonTooLarge:    func(r *providers.Request) { r.Body = bytes.Repeat([]byte("a"), limit+1) },
		domain.ReasonUnreadable:  func(r *providers.Request) { r.Header.Set("Content-Encoding", "gzip") },
		domain.ReasonWrongMethod: func(r *providers.Request) { r.Method = http.MethodGet },
	} {
		r := posted(signed(notice()))
		change(&r)
		if reason, err := refusedBy(c, r); err != nil || reason != want {
			t.Errorf("refused with %s, want %s: %v", reason, want, err)
		}
	}
	for _, header := range []http.Header{nil, {"Content-Type": {"text/plain"}}, {"Content-Type": {"application/x-www-form-urlencoded", "x"}}, {"Content-Type": {";"}}} {
		r := posted(signed(notice()))
		r.Header = header
		if reason, err := refusedBy(c, r); err != nil || reason != domain.ReasonUnreadable {
			t.Errorf("%v: refused with %s: %v", header, reason, err)
		}
	}
	r := posted(signed(notice()))
	r.Header.Set("X-Forwarded-For", "127.0.0.1")
	r.Header.Set("Host", "evil.example")
	if got, _, err := c.Read(r); err != nil || got.Notices[0].Status != domain.StatusPaid {
		t.Errorf("with strange headers: %v", err)
	}
}

// TestManyFields: a flood of fields ends early.
func TestManyFields(t *testing.T) {
	t.Parallel()
	c := newChannel(t, testConfig())
	var body strings.Builder
	for i := range 1000 {
		body.WriteString("&a")
		body.WriteString(strings.Repeat("b", i%60))
		body.WriteString("=1")
	}
	if reason, err := refusedBy(c, post(body.String())); err != nil || reason != domain.ReasonUnreadable {
		t.Errorf("refused with %s: %v", reason, err)
	}
}

// TestYears: a genuine notice holds for ever; whether it is a repeat is for the
// ledger to say.
func TestYears(t *testing.T) {
	t.Parallel()
	c := newChannel(t, testConfig())
	r := posted(signed(notice()))
	r.ReceivedAt = testNow.AddDate(30, 0, 0)
	if got, _, err := c.Read(r); err != nil || !providers.SameContent(got.Notices[0], paidNotice()) {
		t.Errorf("after thirty years: %v", err)
	}
}

// TestGBK: the values of a GBK notice are read as text, the signature is over
// its bytes.
func TestGBK(t *testing.T) {
	t.Parallel()
	c := newChannel(t, testConfig())
	gbk := "\xb2\xe2\xca\xd4" // 测试
	got, _, err := c.Read(posted(signed(notice(Param{"charset", "GBK"}, Param{"out_trade_no", gbk}))))
	if err != nil || got.Notices[0].OrderNo != "测试" {
		t.Errorf("%+v, %v", got.Notices, err)
	}
	for _, p := range []Params{
		notice(Param{"charset", "GBK"}, Param{"out_trade_no", "\xff\xff"}),
		notice(Param{"charset", "GBK"}, Param{"out_trade_no", "\xb2"}),
		notice(Param{"charset", "utf-8"}, Param{"out_trade_no", gbk}),
	} {
		if reason, err := refusedBy(c, posted(signed(p))); err != nil || reason != domain.ReasonUnreadable {
			t.Errorf("refused with %s: %v", reason, err)
		}
	}
}
