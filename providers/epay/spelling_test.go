package epay

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"counterfoil/domain"
	"counterfoil/providers"
)

// TestReadSpellings writes one callback in ways that other parsers take for
// the same, and that a forger could use to show them two messages. Every one
// is rightly signed, under the reading that a lax parser would have.
func TestReadSpellings(t *testing.T) {
	t.Parallel()
	c := newChannel(t, configV1())
	const (
		same    = "same"    // read as the plain one
		doubted = "doubted" // kept, but moves nothing alone
	)
	unreadable, wrong := string(domain.ReasonUnreadable), string(domain.ReasonWrongSignature)
	missing := unreadable // the field under its right name is missing
	tests := []struct{ old, new, want string }{
		// The baseline, and spellings that mean nothing.
		{"money=1", "money=1", same},
		{"money=1", "&money=1&", same},
		{"money=1", "money=%31", same},
		{"type=alipay", "type=%61lipay", same},
		{"type=alipay", "type=alipay&param=", same},
		{"type=alipay", "type=alipay&param", same},
		{"VIP%E4%BC%9A%E5%91%98", "VIP%e4%bc%9a%e5%91%98", same},
		{"VIP%E4%BC%9A%E5%91%98", "VIP会员", same},
		// Names in other case.
		{"money=1", "Money=1", missing},
		{"money=1", "MONEY=1", missing},
		{"pid=1001", "Pid=1001", string(domain.ReasonForeignMerchant)},
		{"out_trade_no=", "Out_Trade_No=", missing},
		{"trade_status=", "Trade_status=", missing},
		{"sign=", "Sign=", wrong},
		{"money=1", "money=1&Money=1000", doubted},
		{"money=1", "Money=1000&money=1", doubted},
		{"trade_no=2016", "Trade_No=9&trade_no=2016", doubted},
		{"money=1", "ſign=1&money=1", unreadable}, // U+017F folds to s
		// Names that are no names.
		{"money=1", "money[]=1", unreadable},
		{"money=1", "money%5B%5D=1", unreadable},
		{"money=1", "money[0]=1", unreadable},
		{"money=1", "%6Doney=1", unreadable},
		{"money=1", "+money=1", unreadable},
		{"money=1", "money+=1", unreadable},
		{"money=1", "money%00=1", unreadable},
		{"money=1", "money%20=1", unreadable},
		{"money=1", "=1", unreadable},
		{"money=1", "ｍoney=1", unreadable},
		{"money=1", strings.Repeat("m", 65) + "=1&money=1", unreadable},
		{"money=1", "mo.ney=1", missing},
		// One name twice.
		{"money=1", "money=1&money=1", unreadable},
		{"money=1", "money=1&money=1000", unreadable},
		{"money=1", "money=&money=1", unreadable},
		{"money=1", "money&money=1", unreadable},
		{"type=alipay", "type=alipay&sign_type=MD5", unreadable},
		{"sign_type=MD5", "sign_type=MD5&sign=", unreadable},
		// Separators of others.
		{"money=1&", "money=1;", unreadable},
		{"money=1&", "money=1%26", unreadable},
		{"money=1", "money=1#", unreadable},
		{"money=1", "money=1?", unreadable},
		// Bytes that cannot be read, or are read in two ways.
		{"money=1", "money=1%", unreadable},
		{"money=1", "money=1%0", unreadable},
		{"money=1", "money=1%0g", unreadable},
		{"money=1", "money=%u0031", unreadable},
		{"money=1", "money=1%00", unreadable},
		{"money=1", "money=1%0A", unreadable},
		{"money=1", "money=1%0D", unreadable},
		{"money=1", "money=1+", unreadable},
		{"money=1", "money=%EF%BC%91", unreadable},
		{"VIP%E4%BC%9A%E5%91%98", "VIP%C0%AF", unreadable},
		{"VIP%E4%BC%9A%E5%91%98", "VIP%ED%A0%80", unreadable},
		{"VIP%E4%BC%9A%E5%91%98", "%BB%E1%D4%B1", unreadable}, // GBK
		{"VIP%E4%BC%9A%E5%91%98", "VIP%C2%85", unreadable},
		// The algorithm is not the message's to choose.
		{"sign_type=MD5", "sign_type=md5", wrong},
		{"sign_type=MD5", "sign_type=RSA", wrong},
		{"sign_type=MD5", "sign_type=+MD5", wrong},
		{"sign_type=MD5", "sign_type=", same},
	}
	if len(tests) < 40 {
		t.Fatalf("only %d spellings", len(tests))
	}
	for _, tt := range tests {
		query := "pid=1001&trade_no=2016080615134334902&out_trade_no=" + order +
			"&type=alipay&name=VIP%E4%BC%9A%E5%91%98&money=1&trade_status=TRADE_SUCCESS&sign=SIGN&sign_type=MD5"
		if !strings.Contains(query, tt.old) {
			t.Fatalf("%s is not in the callback", tt.old)
		}
		query = strings.Replace(query, tt.old, tt.new, 1)
		query = strings.Replace(query, "SIGN", SignMD5(laxText(query), sampleKey), 1)
		for _, r := range []providers.Request{getRaw(query), post(query)} {
			if got := verdictOf(t, c, r); got != tt.want {
				t.Errorf("%s %s: %s, want %s", r.Method, tt.new, got, tt.want)
			}
		}
	}
}

// laxText is what a receiver would sign that parses as most do: the last of
// equal names wins, what cannot be decoded is taken as it is.
func laxText(query string) string {
	fields := Params{}
	for piece := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(piece, "=")
		if decoded, err := url.QueryUnescape(name); err == nil {
			name = decoded
		}
		if decoded, err := url.QueryUnescape(value); err == nil {
			value = decoded
		}
		fields = with(fields, Param{name, value})
	}
	return Text(fields)
}

// verdictOf is "same", "doubted", another reading, or the reason of refusal.
func verdictOf(t *testing.T, c *Channel, r providers.Request) string {
	t.Helper()
	got, refusal, err := c.Read(r)
	if err != nil {
		return string(refusal.Reason)
	}
	n := got.Notices[0]
	doubted := slices.Contains(n.Doubts, domain.DoubtUnknownFields)
	n.Doubts = nil
	switch {
	case !providers.SameContent(n, paid()):
		return "read as something else"
	case doubted:
		return "doubted"
	}
	return "same"
}
