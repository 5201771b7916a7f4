package domain_test

import (
	"strings"
	"testing"

	"counterfoil/domain"
)

// TestUnknownTypes: what newer software wrote stops the reader.
func TestUnknownTypes(t *testing.T) {
	t.Parallel()
	for _, typ := range []string{"payment.vanished.v1", "payment.credited.v2", "payment.credited", "Payment.credited.v1", ""} {
		f, err := domain.DecodeFact(typ, golden(t, "payment.credited.v1.full"))
		if f != nil {
			t.Errorf("%q decodes to %v", typ, f)
		}
		refused(t, err, domain.KindMismatch, "type")
	}
}

// TestOtherFormsAreRefusedR9: there is one writer, so there is one form.
// Whatever differs by a byte was not written by it.
func TestOtherFormsAreRefusedR9(t *testing.T) {
	t.Parallel()
	for name := range fixtures() {
		data := string(golden(t, name))
		comma := strings.Index(data+",", ",")
		first := strings.TrimSuffix(data[1:comma], "}")
		colon := strings.Index(data, ":")
		for what, other := range map[string]string{
			"nothing":            "",
			"null":               "null",
			"an array":           "[" + data + "]",
			"no members":         "{}",
			"trailing data":      data + "{}",
			"a trailing blank":   data + " ",
			"a line end":         data + "\n",
			"a leading blank":    " " + data,
			"a blank inside":     strings.Replace(data, ":", ": ", 1),
			"a byte order mark":  "\ufeff" + data,
			"cut short":          data[:len(data)-1],
			"a text without end": data[:colon+1] + `"x`,
			"half an escape":     data[:colon+1] + `"\`,
			"an unknown member":  data[:len(data)-1] + `,"note":"x"}`,
			"a member twice":     "{" + first + "," + data[1:],
			"a case twin":        data[:len(data)-1] + "," + strings.ToUpper(first[:colon-1]) + first[colon-1:] + "}",
			"another case":       "{" + strings.ToUpper(data[1:colon]) + data[colon:],
			"an escaped name":    `{"\u00` + hex(data[2]) + data[3:],
			"a comma too many":   data[:len(data)-1] + ",}",
		} {
			f, err := domain.DecodeFact(typeOf(name), []byte(other))
			if err == nil || f != nil || domain.KindOf(err) != domain.KindCorrupt {
				t.Errorf("%s with %s: %v, %v\n%s", name, what, f, err, other)
			}
		}
	}
}

func hex(b byte) string { return string([]byte{"0123456789abcdef"[b>>4], "0123456789abcdef"[b&0xf]}) }

// TestOtherValuesAreRefusedR9: one spelling of each value, too.
func TestOtherValuesAreRefusedR9(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, is, other string }{
		{"payment.credited.v1.full", `"2026-03-14T04:00:00Z"`, `"2026-03-14T04:00:00.000Z"`},
		{"payment.credited.v1.full", `"2026-03-14T04:00:00Z"`, `"2026-03-14T04:00:00.100Z"`},
		{"payment.credited.v1.full", `"2026-03-14T04:00:00Z"`, `"2026-03-14T04:00:00.Z"`},
		{"payment.credited.v1.full", `"2026-03-14T04:00:00Z"`, `"2026-03-14T04:00:00.1234567891Z"`},
		{"payment.credited.v1.full", `"2026-03-14T04:00:00Z"`, `"2026-03-14T04:00:00,5Z"`},
		{"payment.credited.v1.full", `"2026-03-14T04:00:00Z"`, `"2026-03-14T12:00:00+08:00"`},
		{"payment.credited.v1.full", `"2026-03-14T04:00:00Z"`, `"2026-03-14t04:00:00z"`},
		{"payment.credited.v1.full", `"2026-03-14T04:00:00Z"`, `"2026-03-14 04:00:00Z"`},
		{"payment.credited.v1.full", `"2026-03-14T04:00:00Z"`, `"2026-02-30T04:00:00Z"`},
		{"payment.credited.v1.full", `"2026-03-14T04:00:00Z"`, `"2026-13-14T04:00:00Z"`},
		{"payment.credited.v1.full", `"2026-03-14T04:00:00Z"`, `"2026-03-00T04:00:00Z"`},
		{"payment.credited.v1.full", `"2026-03-14T04:00:00Z"`, `"2026-03-14T24:00:00Z"`},
		{"payment.credited.v1.full", `"2026-03-14T04:00:00Z"`, `"2026-03-14T04:60:00Z"`},
		{"payment.credited.v1.full", `"2026-03-14T04:00:00Z"`, `"2026-03-14T04:00:60Z"`},
		{"payment.credited.v1.full", `"2026-03-14T04:00:00Z"`, `"+026-03-14T04:00:00Z"`},
		{"payment.credited.v1.full", `"2026-03-14T04:00:00Z"`, `null`},
		{"payment.credited.v1.full", `"late":true`, `"late":false`},
		{"payment.credited.v1.full", `"late":true`, `"late":1`},
		{"payment.credited.v1.full", `"rules":1`, `"rules":01`},
		{"payment.credited.v1.full", `"rules":1`, `"rules":1.0`},
		{"payment.credited.v1.full", `"rules":1`, `"rules":1e0`},
		{"payment.credited.v1.full", `"rules":1`, `"rules":-0`},
		{"payment.credited.v1.full", `"rules":1`, `"rules":+1`},
		{"payment.credited.v1.full", `"rules":1`, `"rules":"1"`},
		{"payment.credited.v1.full", `"rules":1`, `"rules":9223372036854775808`},
		{"payment.credited.v1.full", `"rules":1`, `"rules":`},
		{"payment.credited.v1.full", `"5e000000-`, `"5E000000-`},
		{"payment.credited.v1.full", `"5e000000-`, `"5e0000000`},
		{"payment.credited.v1.full", `"5e000000-`, `"{5e000000-`},
		{"payment.credited.v1.full", `"5e000000-`, `"5g000000-`},
		{"payment.credited.v1.full", `"10.00","currency":"CNY"`, `"10.0","currency":"CNY"`},
		{"payment.credited.v1.full", `"10.00","currency":"CNY"`, `"010.00","currency":"CNY"`},
		{"payment.credited.v1.full", `"10.00","currency":"CNY"`, `"10.00","currency":"cny"`},
		{"payment.credited.v1.full", `"10.00","currency":"CNY"`, `"10","currency":"JPY "`},
		{"payment.credited.v1.full", `{"amount":"10.00","currency":"CNY"}`, `{"currency":"CNY","amount":"10.00"}`},
		{"payment.credited.v1.full", `{"amount":"10.00","currency":"CNY"}`, `null`},
		{"payment.credited.v1.full", `"account":"user:alice"`, `"account":""`},
		{"payment.credited.v1.full", `"account":"user:alice"`, `"account":"user alice"`},
		{"payment.credited.v1.full", `"account":"user:alice"`, `"account":"user\u003aalice"`},
		{"payment.credited.v1.full", `"trade_no":"T1"`, `"trade_no":"\u0054\u0031"`},
		{"payment.credited.v1.full", `"trade_no":"T1"`, `"trade_no":"T\/1"`},
		{"payment.credited.v1.full", `"trade_no":"T1"`, `"trade_no":"T1` + "\x01" + `"`},
		{"payment.credited.v1.full", `"trade_no":"T1"`, `"trade_no":"T1` + "\xff" + `"`},
		{"payment.credited.v1.full", `"trade_no":"T1"`, `"trade_no":"T1\ud800"`},
		{"payment.credited.v1.full", `"trade_no":"T1"`, `"trade_no":"T1` + "\u2028" + `"`},
		{"payment.credited.v1.full", `"trade_no":"T1"`, `"trade_no":1`},
		{"payment.notified.v1.full", `"doubts":["ambiguous_text","url_fields"]`, `"doubts":[]`},
		{"payment.notified.v1.full", `"doubts":["ambiguous_text","url_fields"]`, `"doubts":null`},
		{"payment.notified.v1.full", `"doubts":["ambiguous_text","url_fields"]`, `"doubts":["ambiguous_text",]`},
		{"payment.notified.v1.full", `"doubts":["ambiguous_text","url_fields"]`, `"doubts":["ambiguous_text" "url_fields"]`},
		{"payment.notified.v1.full", `"amount":{"amount":"10.00","currency":"CNY"}`, `"amount":{"amount":"0.00","currency":"CNY"}`},
		{"payment.notified.v1.full", `"occurred_at":"2026-03-14T03:59:59Z"`, `"occurred_at":"0001-01-01T00:00:00Z"`},
		{"payment.notified.v1.full", `"run":"run-7"`, `"run":""`},
		{"payment.notified.v1.full", `"channel_revision":3`, `"channel_revision":-3`},
		{"payment.notified.v1.minimal", `"source":"query",`, ``},
		{"payment.held.v1.full", `"reason":"confirm_by_query",`, ``},
		{"payment.closed.v1.full", `"cause":"provider",`, ``},
		{"payment.placed.v1.full", `,"channel_revision":3`, ``},
		{"payment.notified.v1.minimal", `"rules":1}}`, `"rules":1},"reply":null}`},
		{"channel.configured.v1.full", `"app":"2021000","pid":"1001"`, `"pid":"1001","app":"2021000"`},
		{"channel.configured.v1.full", `"app":"2021000","pid":"1001"`, `"pid":"1001","pid":"1001"`},
		{"channel.configured.v1.full", `"MIIB/w=="`, `"MIIB/w"`},
		{"channel.configured.v1.full", `"MIIB/w=="`, `"MIIB_w=="`},
		{"channel.configured.v1.full", `"MIIB/w=="`, `"MIIB/x=="`},
	} {
		data := strings.Replace(string(golden(t, c.name)), c.is, c.other, 1)
		if data == string(golden(t, c.name)) {
			t.Errorf("%s has no %s", c.name, c.is)
		}
		f, err := domain.DecodeFact(typeOf(c.name), []byte(data))
		if err == nil || f != nil || domain.KindOf(err) != domain.KindCorrupt {
			t.Errorf("%s with %s: %v, %v", c.name, c.other, f, err)
		}
	}
}

// TestTamperedPostingsAreRefusedR5 when they are read.
func TestTamperedPostingsAreRefusedR5(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, is, other string }{
		{"payment.credited.v1.full", `"-10.00"`, `"-10.01"`},
		{"payment.credited.v1.full", `"amount":{"amount":"-10.00","currency":"CNY"}`, `"amount":{"amount":"-10.00","currency":"USD"}`},
		{"payment.credited.v1.full", `"wallet":"user:alice",`, ``},
		{"payment.credited.v1.full", `"book":"assets:psp:epay-main",`, `"book":"assets:psp:epay-main","wallet":"user:alice",`},
		{"payment.credited.v1.full", `"book":"assets:psp:epay-main"`, `"book":""`},
		{"payment.credited.v1.full", `{"book":"assets:psp:epay-main","amount":{"amount":"10.00","currency":"CNY"}},`, ``},
		{"payment.credited.v1.full", postings(t, "payment.credited.v1.full"), `[]`},
		{"payment.credited.v1.full", postings(t, "payment.credited.v1.full"), `null`},
		{"payment.allocated.v1.full", postings(t, "payment.allocated.v1.full"), `null`},
		{"payment.parked.v1.full", `,"postings":` + postings(t, "payment.parked.v1.full"), ``},
		{"payment.parked.v1.full", `"confirmed":true`, `"confirmed":false`},
		{"payment.parked.v1.minimal", `"confirmed":false`, `"confirmed":true`},
	} {
		data := strings.Replace(string(golden(t, c.name)), c.is, c.other, 1)
		if data == string(golden(t, c.name)) {
			t.Errorf("%s has no %s", c.name, c.is)
		}
		f, err := domain.DecodeFact(typeOf(c.name), []byte(data))
		if err == nil || f != nil || domain.KindOf(err) != domain.KindCorrupt {
			t.Errorf("%s with %s in place of %s: %v, %v", c.name, c.other, c.is, f, err)
		}
	}
}

// postings is the array of postings in a fixture.
func postings(t *testing.T, name string) string {
	t.Helper()
	_, behind, _ := strings.Cut(string(golden(t, name)), `"postings":`)
	array, _, ok := strings.Cut(behind, "]")
	if !ok {
		t.Fatalf("%s has no postings", name)
	}
	return array + "]"
}

// TestNothingIsWrittenThatCannotBeRead: a fact that would stop every reader is
// stopped before it is in the log.
func TestNothingIsWrittenThatCannotBeRead(t *testing.T) {
	t.Parallel()
	bare := credited(callback(1, "T1", ten))
	bare.Postings = nil
	uneven := credited(callback(1, "T1", ten))
	uneven.Postings = legs("assets:psp:epay-main", "liabilities:wallet", alice, ten)
	uneven.Postings[1].Amount = ten
	broken := kept(callback(1, "T1", ten), domain.OutcomeNoted, "")
	broken.ProviderStatus = "\xff"
	local := placed()
	local.PlacedAt = local.PlacedAt.In(shanghai)
	for what, f := range map[string]domain.Fact{
		"no postings": bare, "postings that do not sum to zero": uneven, "text that is no UTF-8": broken,
		"a time that is not UTC": local,
	} {
		typ, data, err := domain.EncodeFact(f)
		if err == nil || typ != "" || data != nil || domain.KindOf(err) != domain.KindInternal {
			t.Errorf("%s: %q %s %v", what, typ, data, err)
		}
	}
	nobody := placed()
	nobody.Account = ""
	if _, _, err := domain.EncodeFact(nobody); err == nil || domain.KindOf(err) != domain.KindInvalid {
		t.Errorf("no account: %v", err)
	}
}
