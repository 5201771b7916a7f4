package sandbox

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/providers/epay"
	"counterfoil/sandbox/stage"
)

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

// vectorOrder is the order of the published vectors.
func vectorOrder(money string) *order {
	m, err := domain.ParseMoney(money, domain.CNY)
	if err != nil {
		panic(err)
	}
	return &order{
		pid: "1001", version: V1, tradeNo: "2016080615134334902", outTradeNo: "20160806151343349",
		method: "alipay", name: "VIP会员", placed: m, money: m, status: statusPaid,
	}
}

func vectorMerchant(style Style, key string) *merchant {
	c := v1Merchant(style)
	return newMerchant(c, merchantKeys{md5: key}, nil)
}

// The callbacks are byte for byte those of the public vectors.
func TestCallbackVectors(t *testing.T) {
	t.Parallel()
	v14 := vectorOrder("0.10")
	v14.name, v14.method, v14.param = "a+b c&d=e%20/中", "wxpay", "u=7"
	v16 := vectorOrder("7.30")
	v16.name, v16.outTradeNo, v16.tradeNo = "TUC1", "USR2NOqXYmVy1795301684", "2026112219013300001"
	amb2 := vectorOrder("0.01")
	amb2.name, amb2.outTradeNo, amb2.tradeNo = "x&out_trade_no=VICTIM&pax=1", "REAL-CHEAP", "T1"
	for name, c := range map[string]struct {
		order *order
		style Style
		key   string
		query string
	}{
		"V1-2 money as a float": {
			vectorOrder("1.00"), Rainbow, testKey,
			"pid=1001&trade_no=2016080615134334902&out_trade_no=20160806151343349&type=alipay&name=VIP%E4%BC%9A%E5%91%98" +
				"&money=1&trade_status=TRADE_SUCCESS&sign=a1c7b4738eb83a42f2e62279b00b6aca&sign_type=MD5",
		},
		"V1-3 money with two places": {
			vectorOrder("1.00"), Rainbow2020, testKey,
			"pid=1001&trade_no=2016080615134334902&out_trade_no=20160806151343349&type=alipay&name=VIP%E4%BC%9A%E5%91%98" +
				"&money=1.00&trade_status=TRADE_SUCCESS&sign=05962955df324f4de0a6eb5428f56f56&sign_type=MD5",
		},
		"V1-4 reserved characters": {
			v14, Rainbow, testKey,
			"pid=1001&trade_no=2016080615134334902&out_trade_no=20160806151343349&type=wxpay" +
				"&name=a%2Bb+c%26d%3De%2520%2F%E4%B8%AD&money=0.1&trade_status=TRADE_SUCCESS&param=u%3D7" +
				"&sign=8dafab187e9f134c00515e8191c2fe33&sign_type=MD5",
		},
		"V1-6 New-API's order": {
			v16, Bepusdt, "epaytestkey",
			"pid=1001&trade_no=2026112219013300001&out_trade_no=USR2NOqXYmVy1795301684&type=alipay&name=TUC1" +
				"&money=7.3&trade_status=TRADE_SUCCESS&sign=310b5cf7601da325e0d0b877369c113c",
		},
		"AMB2 the genuine one": {
			amb2, Credit, testKey,
			"pid=1001&trade_no=T1&out_trade_no=REAL-CHEAP&type=alipay&name=x%26out_trade_no%3DVICTIM%26pax%3D1" +
				"&money=0.01&trade_status=TRADE_SUCCESS&sign=907c0b0a72314dfaf10deb8fd75eab5a",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := vectorMerchant(c.style, c.key)
			signed, err := m.sign(m.messageOf(c.order, time.Time{}).params(), V1)
			if err != nil {
				t.Fatal(err)
			}
			if query := encode(signed); query != c.query {
				t.Errorf("got  %s\nwant %s", query, c.query)
			}
		})
	}
}

// Whoever placed the order with a published form is let in, and nobody else.
func TestFormVectors(t *testing.T) {
	t.Parallel()
	const v2Merchant = "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAuWL5JqvB0rMcvStdUOz5qnN7ZWNtg0dpx6Id/10EbR/RyvywHLlUN+QGfeuCeObxUBrYBDytUmLToWnP8soW4aQfGwywSpUrUcOpJR4nHWnyJ/KId3PA2r1wsGWPprwR3t3v7PLrngm45I0rxpKq8wvmFCrFRYajKSFUGt769JaK8dj+MsCNq2oRllLJQXJ761M0xFdU4+XKmm1MJhW124wIpqRH6I8FWmYQr/8RYXAV8N4fF0qi6k5T7Rul1Gg/VXHbUnVcDwuzoAfULsHHxWqV+nnuTruvUc+m6XxxumhEF2xddoyS9r/wMqx/uP6euw2y3qScjfWWwfnffZodcQIDAQAB"
	const v2Sign = "WkBmj0+7KBI2eGOW3atTBQiSNNb4NYKRzEc8q+QsJhiDKBH7psWep72aoYMPGvuSYmj471fEe8VP993g12Qkrh9eN4gp+capO8B6kJTezFnW+nsmL88GbTjHl7eKRcsPEy7CcOY6sIW0oyYaZyvkJYXS+te+Fvr35IJoeUnkx3/c5Dnx4h9sg2kz0ZPn/C4YkxZxRZSQi8/FtSJtE7XqyZRy1jxFaJxaa5Fbyu+uTQVDZN65ftIBo0PIHbKgOZy9Lmn8VJDbeF0Ml91NMCFDZ88M4ries2ew9qUNqdm3ZdnUSueBB/VAmRC2w1tpwYyv20W5bXacd/wOw6Y6DYK6HA=="
	form := func(kv ...string) fields {
		f := fields{
			"pid": "1001", "money": "1.00", "name": "VIP会员", "notify_url": "http://www.pay.com/notify_url.php",
			"out_trade_no": "20160806151343349", "return_url": "http://www.pay.com/return_url.php", "type": "alipay",
		}
		for i := 0; i < len(kv); i += 2 {
			f[kv[i]] = kv[i+1]
		}
		return f
	}
	public, err := epay.ParsePublicKey(v2Merchant)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		version Version
		at      int64
		rsaOnly bool
		form    fields
		ok      bool
	}{
		"V1-1":                    {V1, 0, false, form("sign", "427724b6656aa612cfdbe7a2262036a3", "sign_type", "MD5", "param", ""), true},
		"V1-1 without sign_type":  {V1, 0, false, form("sign", "427724b6656aa612cfdbe7a2262036a3"), true},
		"V1-1 upper case":         {V1, 0, false, form("sign", "427724B6656AA612CFDBE7A2262036A3"), false},
		"V1-1 other money":        {V1, 0, false, form("sign", "427724b6656aa612cfdbe7a2262036a3", "money", "0.01"), false},
		"V1-1 unsigned":           {V1, 0, false, form(), false},
		"V1-1 at an RSA merchant": {V1, 0, true, form("sign", "427724b6656aa612cfdbe7a2262036a3"), false},
		"V1-1 of an unknown type": {V1, 0, false, form("sign", "427724b6656aa612cfdbe7a2262036a3", "sign_type", "SHA"), false},
		"V2-1":                    {V2, 1721206072, true, form("timestamp", "1721206072", "sign_type", "RSA", "sign", v2Sign), true},
		"V2-1 in time":            {V2, 1721206372, true, form("timestamp", "1721206072", "sign_type", "RSA", "sign", v2Sign), true},
		"V2-1 late":               {V2, 1721206373, true, form("timestamp", "1721206072", "sign_type", "RSA", "sign", v2Sign), false},
		"V2-1 early":              {V2, 1721205771, true, form("timestamp", "1721206072", "sign_type", "RSA", "sign", v2Sign), false},
		"V2-1 at V1, any time":    {V1, 0, true, form("timestamp", "1721206072", "sign_type", "RSA", "sign", v2Sign), true},
		"V2-1 without timestamp":  {V2, 1721206072, true, form("sign_type", "RSA", "sign", v2Sign), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := New(Config{Now: func() time.Time { return time.Unix(c.at, 0) }})
			if err != nil {
				t.Fatal(err)
			}
			m := newMerchant(MerchantConfig{PID: "1001", Style: Rainbow, RSAOnly: c.rsaOnly}, merchantKeys{md5: testKey, merchant: public}, nil)
			if r := s.authentic(m, c.form, c.version); (r == nil) != c.ok {
				t.Errorf("let in: %v, want %v (%v)", r == nil, c.ok, r)
			}
		})
	}
}

func TestAmountsAsEachStyleWritesThem(t *testing.T) {
	t.Parallel()
	for amount, want := range map[string]map[Style]string{
		"7.30":   {Rainbow: "7.3", Rainbow2020: "7.30", Credit: "7.30", Epusdt: "7.3000", Bepusdt: "7.3"},
		"1.00":   {Rainbow: "1", Rainbow2020: "1.00", Epusdt: "1.0000", Bepusdt: "1"},
		"0.01":   {Rainbow: "0.01", Rainbow2020: "0.01", Epusdt: "0.0100"},
		"100.00": {Rainbow: "100", Credit: "100.00"},
		"0.10":   {Rainbow: "0.1"},
	} {
		m, err := domain.ParseMoney(amount, domain.CNY)
		if err != nil {
			t.Fatal(err)
		}
		for style, text := range want {
			if got := styles[style].amount(m); got != text {
				t.Errorf("%s writes %s as %s, want %s", style, amount, got, text)
			}
		}
	}
}

func TestAnswersThatCountAsDelivered(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status int
		body   string
		by     string // initials of the styles that accept it: r(ainbow), c(redit), e(pusdt), b(epusdt)
	}{
		{200, "success", "rceb"},
		{200, " Success\n", "rceb"},
		{200, "ok", "e"},
		{200, `{"success":false}`, "rb"},
		{500, "success", "r"},
		{200, "sUCCESS", "ceb"},
		{200, "fail", ""},
		{404, "", ""},
	} {
		for style, initial := range map[Style]string{Rainbow: "r", Rainbow2020: "r", Credit: "c", Epusdt: "e", Bepusdt: "b"} {
			want := strings.Contains(c.by, initial)
			if got := styles[style].accepts(c.status, c.body); got != want {
				t.Errorf("%s takes %d %q for delivered: %v, want %v", style, c.status, c.body, got, want)
			}
		}
	}
}

func TestTradeNumbersAre19DigitsInChina(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 12, 31, 16, 0, 0, 0, time.UTC) // New Year in China
	seen := map[string]bool{}
	for i := range 3000 {
		no := newTradeNo(at, rand.New(rand.NewPCG(1, uint64(i))), func(no string) bool { return seen[no] })
		if len(no) != 19 || !strings.HasPrefix(no, "20270101000000") {
			t.Fatalf("trade number %s", no)
		}
		if seen[no] {
			t.Fatalf("%s twice", no)
		}
		seen[no] = true
	}
}

func TestPHPText(t *testing.T) {
	t.Parallel()
	if got := daunt(`https://a.b/?x=1&y="2'`); got != `https://a.b/?x=1&amp;y=\&quot;2\&#039;` {
		t.Errorf("daunt gives %s", got)
	}
	if got := string(object{{"name", "VIP会员/\"\\\n\U0001F600"}, {"n", 1}, {"none", nil}}.json()); got !=
		`{"name":"VIP\u4f1a\u5458\/\"\\\n\ud83d\ude00","n":1,"none":null}` {
		t.Errorf("json gives %s", got)
	}
	if f := readForm("a=1&a=2&b[]=3&c=%zz%41+d&e"); f["a"] != "2" || f["c"] != "%zzA d" || len(f) != 3 {
		t.Errorf("form reads as %v", f)
	}
	if got := stage.CutText("会员会员", 7); got != "会员" {
		t.Errorf("cut gives %q", got)
	}
}
