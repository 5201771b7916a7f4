package audit_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"counterfoil/audit"
	"counterfoil/domain"
	"counterfoil/providers"
)

// billed is a payment as a bill of WeChat Pay lists it.
type billed struct {
	order, trade string
	fen          int
	at           string // time of day
}

const billedDay = domain.Day("2026-11-22")

// wechatBill is a trade bill in WeChat Pay's own form.
func wechatBill(rows ...billed) string {
	var b strings.Builder
	b.WriteString("\ufeff交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,应结订单金额,代金券金额," +
		"微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率,订单金额,申请退款金额,费率备注\n")
	sum := 0
	for _, r := range rows {
		fmt.Fprintf(&b, "`%s %s,`%s,`1900000001,`0,`,`%s,`%s,`,`NATIVE,`SUCCESS,`OTHERS,`CNY,`%s,`0.00,`0,`0,`0.00,`0.00,`,`,`,`,`0.00000,`0.60%%,`%s,`0.00,`\n",
			billedDay, r.at, wechatApp, r.trade, r.order, inYuan(r.fen), inYuan(r.fen))
		sum += r.fen
	}
	b.WriteString("总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额\n")
	fmt.Fprintf(&b, "`%d,`%s,`0.00,`0.00,`0.00000,`%s,`0.00\n", len(rows), inYuan(sum), inYuan(sum))
	return b.String()
}

func inYuan(fen int) string { return fmt.Sprintf("%d.%02d", fen/100, fen%100) }

func (w *world) compare(bill string, day domain.Day) audit.Completeness {
	w.t.Helper()
	zone, err := time.LoadLocation("Asia/Shanghai")
	must(w.t, err)
	c, err := audit.CompareBill(w.t.Context(), w.events, w.ledger, audit.BroughtBill{
		Channel: wechat, Day: day, Kind: providers.BillTrade, Whose: "mine.csv", Reader: strings.NewReader(bill),
		Biller: w.channels[wechat].(providers.Biller), Zone: zone,
	})
	must(w.t, err)
	return c
}

// A bill that the auditor downloaded finds what the log lacks, what the bill
// lacks and what both have otherwise, each by row and position.
func TestABroughtBillProvesCompleteness(t *testing.T) {
	t.Parallel()
	w := newWorld(t) // 2026-11-22 09:00 in Beijing
	w.addWechat()
	for i, fen := range []int{100, 250, 888} {
		order := fmt.Sprint("W", i)
		w.place(wechat, order, "user:9", inYuan(fen))
		w.wechatPays(order, fmt.Sprint("42000000", i), fen)
	}
	w.later(15 * time.Hour) // on the day after, five minutes past midnight
	w.place(wechat, "W3", "user:9", "1.00")
	w.later(5 * time.Minute)
	w.wechatPays("W3", "420000003", 100)
	w0, w1, w2 := billed{"W0", "420000000", 100, "09:00:00"}, billed{"W1", "420000001", 250, "09:00:00"}, billed{"W2", "420000002", 888, "09:00:00"}
	for name, c := range map[string]struct {
		rows []billed
		want []string // kind, state, trade
		says string
	}{
		"complete":           {[]billed{w2, w0, w1}, nil, ""},
		"late on their side": {[]billed{w0, w1, w2, {"W3", "420000003", 100, "23:59:58"}}, []string{"timing settled 420000003"}, ""},
		"the log lacks one": {
			[]billed{w0, w1, w2, {"W9", "420000009", 999, "10:00:00"}},
			[]string{"only_theirs open 420000009"},
			`row 4 of the bill: payment of 9.99 CNY, trade "420000009", order "W9"; the log does not have it`,
		},
		"the bill lacks one": {[]billed{w0, w2}, []string{"only_ours open 420000001"}, "the bill does not list it; position "},
		"another amount": {
			[]billed{w0, {"W1", "420000001", 251, "09:00:00"}, w2},
			[]string{"amount_mismatch open 420000001"},
			"row 2 of the bill: payment of 2.51 CNY",
		},
		"one of each": {
			[]billed{w0, {"W1", "420000001", 251, "09:00:00"}, {"W9", "420000009", 999, "10:00:00"}},
			[]string{"amount_mismatch open 420000001", "only_theirs open 420000009", "only_ours open 420000002"},
			"",
		},
	} {
		got := w.compare(wechatBill(c.rows...), billedDay)
		var found []string
		for _, d := range got.Differences {
			found = append(found, fmt.Sprintf("%s %s %s", d.Kind, d.State, d.TradeNo))
			if !strings.Contains(d.Text, c.says) {
				t.Errorf("%s: %s", name, d.Text)
			}
		}
		slices.Sort(found)
		slices.Sort(c.want)
		if !slices.Equal(found, c.want) || got.Unread != "" || got.Ours != 3 || got.Theirs != int64(len(c.rows)) || len(got.SHA256) != 64 {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// From a bill that was cut, changed or is of another day nothing follows.
func TestABroughtBillThatCannotBeRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.addWechat()
	good := wechatBill(billed{"W0", "420000000", 100, "09:00:00"})
	for name, text := range map[string]string{
		"cut":     good[:len(good)-20],
		"changed": strings.Replace(good, "`1,`1.00", "`1,`2.00", 1),
		"empty":   "",
		"foreign": strings.ReplaceAll(good, "1900000001", "1900000002"),
	} {
		if c := w.compare(text, billedDay); c.Unread == "" || len(c.Differences) != 0 {
			t.Errorf("%s: %+v", name, c)
		}
	}
	if c := w.compare(good, "2026-11-21"); c.Unread == "" {
		t.Errorf("another day's: %+v", c)
	}
}
