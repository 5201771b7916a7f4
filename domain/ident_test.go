package domain

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// strangeIDs are ids that no grammar here takes: blanks, controls, look-alikes,
// two spellings of one letter, invisible and broken characters.
var strangeIDs = []string{
	"", " ", "a b", " a", "a ", "a\t", "a\n", "a\r\n", "a\x00", "\x00", "a\x7f", "a\x1b[0m",
	"caf\u00e9", "cafe\u0301", "а1", "Ａ", "a\u200b", "a\u200d", "\u202ea", "\ufeffa", "a\u00a0", "a\u00ad",
	"ｕser", "user\u2010", "七", "😀", "\xff", "a\xc0\xaf", "\xed\xa0\x80",
}

// parsers are the ways in, as texts to texts, with the longest id of each.
var parsers = map[string]struct {
	parse func(string) (string, error)
	most  int
}{
	"channel": {texts(ParseChannelID), 32},
	"order":   {texts(ParseOrderNo), 200},
	"trade":   {texts(ParseTradeNo), 200},
	"account": {texts(ParseAccountID), 128},
}

func texts[T ~string](parse func(string) (T, error)) func(string) (string, error) {
	return func(s string) (string, error) {
		id, err := parse(s)
		return string(id), err
	}
}

func TestIDsRefuseStrangeText(t *testing.T) {
	t.Parallel()
	for name, p := range parsers {
		for _, s := range append([]string{strings.Repeat("a", p.most+1), strings.Repeat("a", 1<<20)}, strangeIDs...) {
			id, err := p.parse(s)
			if err == nil || KindOf(err) != KindInvalid || id != "" {
				t.Errorf("%s %.40q: %q, %v", name, s, id, err)
			}
			if err != nil && (len(err.Error()) > 400 || !utf8.ValidString(err.Error()) || strings.ContainsAny(err.Error(), "\n\r\x00\x1b")) {
				t.Errorf("%s: the error carries the text raw: %.500q", name, err)
			}
		}
		if id, err := p.parse(strings.Repeat("a", p.most)); err != nil || len(id) != p.most {
			t.Errorf("%s of %d bytes: %v", name, p.most, err)
		}
	}
}

// Each grammar is checked byte by byte against its definition, at the first
// place and after it.
func TestIDGrammars(t *testing.T) {
	t.Parallel()
	const (
		lower = "abcdefghijklmnopqrstuvwxyz"
		digit = "0123456789"
	)
	visible := ""
	for b := byte(0x21); b <= 0x7e; b++ {
		visible += string(rune(b))
	}
	account := lower + strings.ToUpper(lower) + digit + "_.:@-"
	for name, allowed := range map[string]struct{ first, later string }{
		"channel": {lower + digit, lower + digit + "-"},
		"order":   {visible, visible},
		"trade":   {visible, visible},
		"account": {account, account},
	} {
		for i := range 256 {
			b := string([]byte{byte(i)})
			if _, err := parsers[name].parse(b); (err == nil) != strings.Contains(allowed.first, b) {
				t.Errorf("%s %q: %v", name, b, err)
			}
			if _, err := parsers[name].parse("a" + b); (err == nil) != strings.Contains(allowed.later, b) {
				t.Errorf("%s %q: %v", name, "a"+b, err)
			}
		}
	}
}

func TestIDTexts(t *testing.T) {
	t.Parallel()
	type ids struct {
		Channel ChannelID `json:"channel"`
		Order   OrderNo   `json:"order"`
		Trade   TradeNo   `json:"trade,omitempty"`
		Account AccountID `json:"account"`
		Stream  Stream    `json:"stream"`
	}
	in := ids{"epay-main", `A"<1>`, "", "user:1", "payment-a:1"}
	data, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	var back ids
	if err := json.Unmarshal(data, &back); err != nil || back != in {
		t.Errorf("%s is read as %+v, %v", data, back, err)
	}
	for _, bad := range []any{
		ids{},
		ChannelID(""), ChannelID("A"), OrderNo(""), OrderNo("a b"), TradeNo(""), TradeNo("a\n"),
		AccountID(""), AccountID("a/b"), Stream(""), Stream("Payment-x"),
	} {
		if data, err := json.Marshal(bad); err == nil {
			t.Errorf("%T %q is written as %s", bad, bad, data)
		}
	}
	for _, field := range []string{"channel", "order", "trade", "account", "stream"} {
		v := in
		err := json.Unmarshal(fmt.Appendf(nil, `{%q:"ä b"}`, field), &v)
		if err == nil || KindOf(err) != KindInvalid || v != in {
			t.Errorf("%s: %v", field, err)
		}
	}
}

func FuzzParseIDs(f *testing.F) {
	for _, s := range append([]string{"epay-main", "20261122-1", "user:1@x", "ledger", "payment-a:b"}, strangeIDs...) {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		_, streamErr := ParseStream(s)
		accepted := streamErr == nil
		for name, p := range parsers {
			id, err := p.parse(s)
			if err == nil && (id != s || len(s) > p.most) {
				t.Fatalf("%s: %q is parsed as %q", name, s, id)
			}
			accepted = accepted || err == nil
		}
		if !accepted {
			return
		}
		for _, b := range []byte(s) {
			if b <= ' ' || b >= 0x7f {
				t.Fatalf("accepted %q with the byte %#x", s, b)
			}
		}
	})
}

// anyNumber is an order number as anybody may send it: mostly bytes of any
// kind, often of the shapes that stream names themselves are made of.
func anyNumber() *rapid.Generator[string] {
	raw := rapid.Custom(func(t *rapid.T) string { return string(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes")) })
	fine := rapid.StringMatching(`[!-~]{1,210}`)
	shaped := rapid.Custom(func(t *rapid.T) string {
		prefix := rapid.SampledFrom([]string{"", "~", "trade:", "trade:~", "a:", ":", "-", "payment-a:"}).Draw(t, "prefix")
		rest := rapid.OneOf(raw, fine, rapid.SampledFrom([]string{"", "1", "x y", "trade:1"})).Draw(t, "rest")
		if rapid.Bool().Draw(t, "hash") {
			rest = hashed(rest)[rapid.IntRange(0, 1).Draw(t, "cut"):]
		}
		return prefix + rest
	})
	return rapid.OneOf(raw, fine, shaped)
}
