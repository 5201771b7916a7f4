package sandbox

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/providers/epay"
)

const keyed = "/api.php?pid=1001&key=" + testKey

func TestV1QueryOfAnUnpaidAndAPaidOrder(t *testing.T) {
	t.Parallel()
	bubble(t, Config{BaseURL: "https://gw.example/epay", Merchants: []MerchantConfig{v1Merchant(Rainbow)}}, func(t *testing.T, s *Sandbox, _ *shop) {
		o := opened(t, s, "1001", "A1", "1.00")
		status, body := ask(t, s, "GET", "/epay"+keyed+"&act=order&out_trade_no=A1", "")
		want := `{"code":1,"msg":"\u67e5\u8be2\u8ba2\u5355\u53f7\u6210\u529f\uff01","trade_no":"` + o.TradeNo +
			`","out_trade_no":"A1","api_trade_no":null,"bill_trade_no":null,"type":"alipay","pid":1001,` +
			`"addtime":"2026-11-22 09:00:00","endtime":null,"name":"VIP\u4f1a\u5458","money":"1.00","param":null,` +
			`"buyer":null,"status":0,"payurl":"https:\/\/gw.example\/epay\/pay\/` + o.TradeNo + `"}`
		if status != 200 || body != want {
			t.Errorf("unpaid: %d\n%s\nwant\n%s", status, body, want)
		}
		pay(t, s, o.TradeNo)
		m := decode(t, second(ask(t, s, "GET", "/epay"+keyed+"&act=order&trade_no="+o.TradeNo+"&out_trade_no=other", "")))
		if m["status"] != json.Number("1") || m["endtime"] != "2026-11-22 09:00:00" || m["money"] != "1.00" ||
			m["api_trade_no"] == nil || m["buyer"] == nil || m["code"] != json.Number("1") {
			t.Errorf("paid: %v", m)
		}
	})
}

func second(_ int, body string) string { return body }

func TestV1NumbersAsTextAndFreePIDs(t *testing.T) {
	t.Parallel()
	text, free := v1Merchant(Rainbow), v1Merchant(Credit)
	text.TextNumbers = true
	free.PID = "client-7"
	s := newBox(t, Config{Merchants: []MerchantConfig{text, free}})
	for pid, want := range map[string][2]any{"1001": {"1001", "0"}, "client-7": {"client-7", json.Number("0")}} {
		opened(t, s, pid, "A1", "1.00")
		m := decode(t, second(ask(t, s, "GET", "/api.php?act=order&key="+testKey+"&pid="+pid+"&out_trade_no=A1", "")))
		if m["pid"] != want[0] || m["status"] != want[1] || m["code"] != json.Number("1") {
			t.Errorf("%s: %v", pid, m)
		}
	}
}

func TestV1Refusals(t *testing.T) {
	t.Parallel()
	rsaOnly, credit := v1Merchant(Rainbow), v1Merchant(Credit)
	rsaOnly.PID, rsaOnly.RSAOnly, credit.PID = "9", true, "8"
	s := newBox(t, Config{Merchants: []MerchantConfig{v1Merchant(Rainbow), rsaOnly, credit}})
	for target, want := range map[string]struct {
		status int
		code   string
	}{
		"/api.php?act=order&pid=1001&key=wrong&out_trade_no=A1":        {200, "-3"},
		"/api.php?act=order&pid=1001&out_trade_no=A1":                  {200, "-3"},
		"/api.php?act=order&pid=7&key=" + testKey + "&out_trade_no=A1": {200, "-3"},
		"/api.php?act=order&pid=9&key=" + testKey + "&out_trade_no=A1": {200, "-3"},
		keyed + "&act=order":                                             {200, "-4"},
		keyed + "&act=order&out_trade_no=none":                           {200, "-1"},
		keyed + "&act=order&trade_no=2026112200000000001":                {200, "-1"},
		"/api.php?act=order&pid=8&key=" + testKey + "&out_trade_no=none": {404, "-1"},
		keyed + "&act=nonsense":                                          {200, "-5"},
		keyed + "&act=refund&out_trade_no=A1&money=1":                    {200, "-4"}, // by GET
		"/api/pay/nonsense":                                              {200, "-5"},
	} {
		status, body := ask(t, s, "GET", target, "")
		if got := fmt.Sprint(decode(t, body)["code"]); status != want.status || got != want.code {
			t.Errorf("%s: %d %s, want %+v", target, status, body, want)
		}
	}
}

func TestV1List(t *testing.T) {
	t.Parallel()
	bubble(t, Config{Merchants: []MerchantConfig{v1Merchant(Rainbow)}}, func(t *testing.T, s *Sandbox, _ *shop) {
		if body := second(ask(t, s, "GET", keyed+"&act=orders", "")); !strings.HasSuffix(body, `"count":0,"data":null}`) {
			t.Errorf("no orders: %s", body)
		}
		for i := range 60 {
			o := opened(t, s, "1001", fmt.Sprintf("A%02d", i), "1.00")
			if i%2 == 0 {
				pay(t, s, o.TradeNo)
			}
			time.Sleep(time.Second)
		}
		for query, want := range map[string]struct {
			n           int
			first, last string
		}{
			"":                     {10, "A59", "A50"},
			"&limit=100":           {50, "A59", "A10"},
			"&limit=3&offset=2":    {3, "A57", "A55"},
			"&limit=50&offset=50":  {10, "A09", "A00"},
			"&limit=2&status=1":    {2, "A58", "A56"},
			"&offset=55&status=0":  {0, "", ""},
			"&limit=-1&offset=abc": {10, "A59", "A50"},
		} {
			var list struct {
				Count int
				Data  []map[string]any
			}
			if err := json.Unmarshal([]byte(second(ask(t, s, "GET", keyed+"&act=orders"+query, ""))), &list); err != nil {
				t.Fatal(err)
			}
			if list.Count != want.n || len(list.Data) != want.n {
				t.Errorf("%q: %d rows, count %d, want %d", query, len(list.Data), list.Count, want.n)
				continue
			}
			if want.n > 0 && (list.Data[0]["out_trade_no"] != want.first || list.Data[want.n-1]["out_trade_no"] != want.last || len(list.Data[0]) != 11) {
				t.Errorf("%q: from %v to %v", query, list.Data[0], list.Data[want.n-1])
			}
		}
	})
}

// verified decodes a V2 reply and checks its signature over all top-level
// scalars.
func verified(t *testing.T, body string) map[string]any {
	t.Helper()
	m := decode(t, body)
	var p epay.Params
	for name, value := range m {
		switch value := value.(type) {
		case string:
			p = append(p, epay.Param{Name: name, Value: value})
		case json.Number:
			p = append(p, epay.Param{Name: name, Value: value.String()})
		case nil:
			t.Errorf("%s is null in %s", name, body)
		}
	}
	key, err := epay.ParsePublicKey(platformPair().Public)
	if err != nil {
		t.Fatal(err)
	}
	if !epay.VerifyRSA(epay.Text(p), p.Value("sign"), key) || m["sign_type"] != "RSA" {
		t.Errorf("signature of %s does not hold", body)
	}
	return m
}

func TestV2Query(t *testing.T) {
	t.Parallel()
	bubble(t, Config{Merchants: []MerchantConfig{v2Merchant()}}, func(t *testing.T, s *Sandbox, _ *shop) {
		o := opened(t, s, "2002", "A1", "1.00")
		m := verified(t, second(ask(t, s, "POST", "/api/pay/query", signedV2(t, s, "out_trade_no", "A1"))))
		for _, absent := range []string{"endtime", "api_trade_no", "buyer", "param", "refundmoney", "clientip"} {
			if _, there := m[absent]; there {
				t.Errorf("an empty %s is there", absent)
			}
		}
		if m["code"] != json.Number("0") || m["status"] != json.Number("0") || m["money"] != "1.00" {
			t.Errorf("unpaid: %v", m)
		}
		pay(t, s, o.TradeNo)
		if err := s.Refund(o.TradeNo, domain.NewMoney(30, domain.CNY)); err != nil {
			t.Fatal(err)
		}
		m = verified(t, second(ask(t, s, "POST", "/api/pay/query", signedV2(t, s, "trade_no", o.TradeNo))))
		if m["status"] != json.Number("2") || m["refundmoney"] != "0.30" || m["endtime"] != "2026-11-22 09:00:00" {
			t.Errorf("partly refunded: %v", m)
		}
	})
}

func TestV2Refusals(t *testing.T) {
	t.Parallel()
	s := newBox(t, Config{Merchants: []MerchantConfig{v2Merchant(), v1Merchant(Rainbow)}})
	stale := itoa(time.Now().Add(-301 * time.Second).Unix())
	md5Signed := fields{"pid": "1001", "out_trade_no": "A1", "timestamp": itoa(time.Now().Unix())}
	for name, c := range map[string]struct{ body, code string }{
		"nothing":            {"", "-4"},
		"no order number":    {signedV2(t, s), "-4"},
		"unknown order":      {signedV2(t, s, "out_trade_no", "none"), "-1"},
		"unknown pid":        {strings.Replace(signedV2(t, s, "out_trade_no", "A1"), "2002", "2003", 1), "-3"},
		"changed":            {strings.Replace(signedV2(t, s, "out_trade_no", "A1"), "A1", "A2", 1), "-3"},
		"stale":              {signedV2(t, s, "out_trade_no", "A1", "timestamp", stale), "-3"},
		"MD5, which V1 sets": {encode(withSign(md5Signed.params(), epay.SignMD5(epay.Text(md5Signed.params()), testKey), "MD5")), "-1"},
	} {
		status, body := ask(t, s, "POST", "/api/pay/query", c.body)
		m := decode(t, body)
		if status != 200 || fmt.Sprint(m["code"]) != c.code || m["sign"] != nil {
			t.Errorf("%s: %d %s, want code %s without a signature", name, status, body, c.code)
		}
	}
}

func TestV2ListAndItsMistake(t *testing.T) {
	t.Parallel()
	bubble(t, Config{Merchants: []MerchantConfig{v2Merchant()}}, func(t *testing.T, s *Sandbox, _ *shop) {
		pay(t, s, opened(t, s, "2002", "A1", "1.00").TradeNo)
		opened(t, s, "2002", "A2", "1.00")
		for status, want := range map[string]int{"": 2, "1": 1, "0": 1} {
			m := verified(t, second(ask(t, s, "POST", "/api/merchant/orders", signedV2(t, s, "limit", "50", "status", status))))
			rows, ok := m["data"].([]any)
			if !ok || len(rows) != want {
				t.Fatalf("status %q: %v", status, m["data"])
			}
			if row := rows[0].(map[string]any); status == "1" && row["out_trade_no"] != "A2" {
				t.Errorf("posted status 1 lists %v, want the unpaid one", row)
			}
		}
		m := verified(t, second(ask(t, s, "POST", "/api/merchant/info", signedV2(t, s))))
		if m["order_num"] != json.Number("2") || m["order_num_today"] != json.Number("1") || m["money"] != "1.00" {
			t.Errorf("info: %v", m)
		}
	})
}

func TestV1Refund(t *testing.T) {
	t.Parallel()
	off := v1Merchant(Rainbow)
	off.PID, off.NoRefunds = "9", true
	credit := v1Merchant(Credit)
	credit.PID = "8"
	bubble(t, Config{Merchants: []MerchantConfig{v1Merchant(Rainbow), off, credit}}, func(t *testing.T, s *Sandbox, _ *shop) {
		for _, pid := range []string{"1001", "9", "8"} {
			pay(t, s, opened(t, s, pid, "A1", "7.30").TradeNo)
		}
		opened(t, s, "1001", "A2", "7.30")
		for _, c := range []struct{ pid, no, money, code string }{
			{"1001", "A1", "7.31", "-1"},
			{"1001", "A1", "0", "-1"},
			{"1001", "A1", "x", "-1"},
			{"1001", "A2", "1", "-1"}, // unpaid
			{"1001", "A3", "1", "-1"}, // unknown
			{"1001", "", "1", "-4"},
			{"1001", "A1", "3.30", "0"},
			{"1001", "A1", "3.30", "0"}, // nothing makes a repeat harmless
			{"1001", "A1", "3.30", "-1"},
			{"9", "A1", "7.30", "-1"},
			{"8", "A1", "7.00", "-1"}, // full ones only
			{"8", "A1", "7.30", "1"},
		} {
			body := second(ask(t, s, "POST", "/api.php?act=refund", "pid="+c.pid+"&key="+testKey+"&out_trade_no="+c.no+"&money="+c.money))
			m := decode(t, body)
			if fmt.Sprint(m["code"]) != c.code {
				t.Errorf("%+v: %s", c, body)
			}
			if c.code == "0" && (m["money"] != "3.30" || m["refund_no"] == nil || m["uid"] == nil) {
				t.Errorf("%+v: %s", c, body)
			}
		}
		total := s.Books().Merchants[0].Totals[0]
		if total.Refunded.Amount() != "6.60" || total.Credited.Amount() != "7.30" {
			t.Errorf("totals %+v", total)
		}
		m := decode(t, second(ask(t, s, "GET", keyed+"&act=order&out_trade_no=A1", "")))
		if m["status"] != json.Number("2") || m["refundmoney"] != nil || m["money"] != "7.30" {
			t.Errorf("after the refund: %v", m)
		}
	})
}

func TestV2RefundIsDoneOncePerNumber(t *testing.T) {
	t.Parallel()
	bubble(t, Config{Merchants: []MerchantConfig{v2Merchant()}}, func(t *testing.T, s *Sandbox, _ *shop) {
		pay(t, s, opened(t, s, "2002", "A1", "7.30").TradeNo)
		form := []string{"out_trade_no", "A1", "money", "1.00", "out_refund_no", "refund-1"}
		first := verified(t, second(ask(t, s, "POST", "/api/pay/refund", signedV2(t, s, form...))))
		again := verified(t, second(ask(t, s, "POST", "/api/pay/refund", signedV2(t, s, form...))))
		if first["refund_no"] != again["refund_no"] || again["code"] != json.Number("0") {
			t.Errorf("first %v, again %v", first, again)
		}
		if got := s.Books().Merchants[0].Totals[0].Refunded.Amount(); got != "1.00" {
			t.Errorf("refunded %s", got)
		}
		found := verified(t, second(ask(t, s, "POST", "/api/pay/refundquery", signedV2(t, s, "out_refund_no", "refund-1"))))
		if found["status"] != json.Number("1") || found["money"] != "1.00" {
			t.Errorf("query: %v", found)
		}
		for _, body := range []string{
			second(ask(t, s, "POST", "/api/pay/refundquery", signedV2(t, s, "out_refund_no", "refund-2"))),
			second(ask(t, s, "POST", "/api/pay/refund", signedV2(t, s, "out_trade_no", "A1", "money", "1.00", "out_refund_no", "short"))),
		} {
			if decode(t, body)["code"] != json.Number("-1") {
				t.Errorf("answered %s", body)
			}
		}
	})
}

func TestQueryFaults(t *testing.T) {
	t.Parallel()
	bubble(t, Config{Merchants: []MerchantConfig{v1Merchant(Rainbow), v2Merchant()}}, func(t *testing.T, s *Sandbox, _ *shop) {
		ones := map[Class]func(status int, body string) bool{
			Query5xx:     func(status int, body string) bool { return status == 502 && strings.Contains(body, "nginx") },
			QueryHTML:    func(status int, body string) bool { return status == 200 && strings.HasPrefix(body, "<!doctype html>") },
			QueryMissing: func(status int, body string) bool { return status == 200 && strings.HasPrefix(body, `{"code":-1,`) },
		}
		for class, bad := range ones {
			for _, pid := range []string{"1001", "2002"} {
				o := pay(t, s, opened(t, s, pid, string(class), "7.30").TradeNo, Fault{Class: class, Copies: 2})
				query := func() (int, string) {
					if pid == "1001" {
						return ask(t, s, "GET", keyed+"&act=order&trade_no="+o.TradeNo, "")
					}
					return ask(t, s, "POST", "/api/pay/query", signedV2(t, s, "trade_no", o.TradeNo))
				}
				for i := range 3 {
					if status, body := query(); bad(status, body) != (i < 2) {
						t.Errorf("%s of %s, query %d: %d %s", class, pid, i+1, status, body)
					}
				}
			}
		}
		for class, check := range map[Class]func(m map[string]any) bool{
			QueryUnsigned: func(m map[string]any) bool { return m["sign"] == nil && m["status"] == json.Number("1") },
			QueryForged:   func(m map[string]any) bool { return m["sign"] != nil && m["status"] == json.Number("1") },
		} {
			o := pay(t, s, opened(t, s, "2002", string(class), "7.30").TradeNo, Fault{Class: class, Copies: 1})
			body := second(ask(t, s, "POST", "/api/pay/query", signedV2(t, s, "trade_no", o.TradeNo)))
			if !check(decode(t, body)) || holdsReply(decode(t, body)) {
				t.Errorf("%s: %s", class, body)
			}
			verified(t, second(ask(t, s, "POST", "/api/pay/query", signedV2(t, s, "trade_no", o.TradeNo))))
		}
	})
}

func holdsReply(m map[string]any) bool {
	var p epay.Params
	for name, value := range m {
		p = append(p, epay.Param{Name: name, Value: fmt.Sprint(value)})
	}
	key, err := epay.ParsePublicKey(platformPair().Public)
	return err == nil && epay.VerifyRSA(epay.Text(p), p.Value("sign"), key)
}

func TestOutageHitsAllQueriesForAWhile(t *testing.T) {
	t.Parallel()
	bubble(t, Config{Merchants: []MerchantConfig{v1Merchant(Rainbow)}}, func(t *testing.T, s *Sandbox, _ *shop) {
		opened(t, s, "1001", "A1", "7.30")
		if err := s.Outage("", Fault{Class: Query5xx}, time.Minute); err != nil {
			t.Fatal(err)
		}
		if err := s.Outage("", Fault{Class: Lost}, time.Minute); domain.KindOf(err) != domain.KindInvalid {
			t.Errorf("an outage of lost callbacks gives %v", err)
		}
		for range 2 {
			for _, act := range []string{"order&out_trade_no=A1", "orders"} {
				status, _ := ask(t, s, "GET", keyed+"&act="+act, "")
				if down := status == http.StatusBadGateway; down != time.Now().Before(time.Date(2026, 11, 22, 1, 1, 0, 0, time.UTC)) {
					t.Errorf("%s answers %d at %s", act, status, time.Now())
				}
			}
			time.Sleep(time.Minute)
		}
	})
}

func TestPurges(t *testing.T) {
	t.Parallel()
	bubble(t, Config{Merchants: []MerchantConfig{v1Merchant(Rainbow), v2Merchant()}}, func(t *testing.T, s *Sandbox, _ *shop) {
		found := func(no string) bool {
			return decode(t, second(ask(t, s, "GET", keyed+"&act=order&out_trade_no="+no, "")))["code"] == json.Number("1")
		}
		// V1: the merchant has been told by a query; the next one finds nothing.
		pay(t, s, opened(t, s, "1001", "A1", "7.30").TradeNo, Fault{Class: Purged})
		if !found("A1") || found("A1") {
			t.Error("a purged order is found not once")
		}
		// V2: by an accepted callback.
		o := pay(t, s, opened(t, s, "2002", "A1", "7.30").TradeNo, Fault{Class: Purged})
		if o, err := s.Order(o.TradeNo); err != nil || !o.Purged {
			t.Errorf("V2 order %+v, %v", o, err)
		}
		// By the operator's hand, at once and by age.
		o = pay(t, s, opened(t, s, "1001", "A2", "7.30").TradeNo)
		if err := s.Purge(o.TradeNo); err != nil || found("A2") {
			t.Errorf("purged by hand and found: %v", err)
		}
		pay(t, s, opened(t, s, "1001", "A3", "7.30").TradeNo)
		opened(t, s, "1001", "A4", "7.30")
		if n := s.PurgePaid("1001", s.Clock().Books.Add(time.Second)); n != 1 || found("A3") || !found("A4") {
			t.Errorf("%d purged", n)
		}
		if err := s.Advance(25 * time.Hour); err != nil || found("A4") {
			t.Errorf("an unpaid order outlives the daily job: %v", err)
		}
		for i, want := range []int{3, 1} {
			if b := s.Books().Merchants[i]; len(b.Paid) != want || !b.Paid[0].Purged {
				t.Errorf("the books forgot: %+v", b)
			}
		}
	})
}
