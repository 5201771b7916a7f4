package domain_test

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"counterfoil/domain"

	"pgregory.net/rapid"
)

// golden is the stored form in a fixture's file; the file ends its line.
func golden(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "facts", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return bytes.TrimSuffix(data, []byte("\n"))
}

// typeOf is the stored name in a fixture's.
func typeOf(name string) string { return name[:strings.LastIndexByte(name, '.')] }

// TestStoredFormsR9: every fact reads and writes the bytes it always did. If
// this test fails, logs in the field can no longer be read: the code is wrong,
// not the file.
func TestStoredFormsR9(t *testing.T) {
	t.Parallel()
	for name, f := range fixtures() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := golden(t, name)
			typ, data := encoded(t, f)
			if typ != typeOf(name) || !bytes.Equal(data, want) {
				t.Errorf("%s is written as\n%s\nwant\n%s", typ, data, want)
			}
			back, err := domain.DecodeFact(typeOf(name), want)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(back, f) {
				t.Errorf("read as\n%+v\nwant\n%+v", back, f)
			}
		})
	}
}

// TestEveryTypeHasFixtures: a full form and a minimal one for each, and no
// file that nobody compares.
func TestEveryTypeHasFixtures(t *testing.T) {
	t.Parallel()
	all := fixtures()
	for _, typ := range domain.Types() {
		for _, form := range []string{".full", ".minimal"} {
			if f := all[typ+form]; f == nil || f.FactType() != typ {
				t.Errorf("fixture %s%s is %T", typ, form, f)
			}
		}
		if full := all[typ+".full"]; full != nil {
			wantMembers(t, typ, reflect.ValueOf(full))
		}
	}
	files, err := filepath.Glob("testdata/facts/*.json")
	if err != nil || len(files) != len(all) {
		t.Errorf("%d files for %d fixtures (%v)", len(files), len(all), err)
	}
}

// rare are members that no fact of the stage has beside the others.
var rare = map[string]bool{
	"payment.credited.v1.Postings.Wallet":  true, // the provider's leg has none
	"payment.parked.v1.Postings.Wallet":    true,
	"payment.allocated.v1.Postings.Wallet": true,
	"payment.parked.v1.Dates.Estimated":    true, // in the minimal form
	"payment.allocated.v1.Dates.Estimated": true, // in the form by rule
	"payment.allocated.v1.ByRule":          true,
}

// wantMembers fails the test where a full form leaves a member zero.
func wantMembers(t *testing.T, path string, v reflect.Value) {
	t.Helper()
	for i := range v.NumField() {
		field, at := v.Field(i), path+"."+v.Type().Field(i).Name
		if field.Kind() == reflect.Pointer {
			field = field.Elem()
		}
		if field.Kind() == reflect.Slice && field.Len() > 0 && field.Index(0).Kind() == reflect.Struct {
			field = field.Index(0)
		}
		switch {
		case rare[at]:
		case !field.IsValid() || field.IsZero():
			t.Errorf("the full form leaves %s out", at)
		case field.Kind() == reflect.Struct && field.Type().PkgPath() == v.Type().PkgPath() && field.Type().Name() != "Money":
			wantMembers(t, at, field)
		}
	}
}

// TestFactIDs: the ids in testdata/ids.txt, reckoned outside this program, are
// those of facts in the logs there are. They can never change.
func TestFactIDs(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/ids.txt")
	if err != nil {
		t.Fatal(err)
	}
	all := fixtures()
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		columns := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(columns) != 3 || all[columns[0]] == nil {
			t.Fatalf("line %q is not fixture, key and id", line)
		}
		name, key, want := columns[0], columns[1], columns[2]
		f := all[name]
		delete(all, name)
		if got := domain.FactID(ledgerID, stream, f).String(); got != want {
			t.Errorf("%s has id %s, want %s", name, got, want)
		}
		if got := domain.NewV5(ledgerID, string(stream), typeOf(name), key).String(); got != want {
			t.Errorf("key %q of %s makes id %s, want %s", key, name, got, want)
		}
		if got := at(noon, domain.ConfirmNever).ID(f).String(); got != want {
			t.Errorf("a context gives %s the id %s", name, got)
		}
	}
	for name := range all {
		t.Errorf("%s has no id in the file", name)
	}
}

// TestUnknownTypes: what newer software wrote stops the reader.
func TestUnknownTypes(t *testing.T) {
	t.Parallel()
	for _, typ := range []string{"payment.refunded.v1", "payment.credited.v2", "payment.credited", "Payment.credited.v1", ""} {
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

// TestAnyTextIsKept: a provider's words come back byte by byte, whatever
// valid UTF-8 they are.
func TestAnyTextIsKept(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		f := kept(callback(1, rapid.String().Draw(t, "trade"), ten), domain.OutcomeNoted, "")
		f.OrderNo, f.ProviderStatus = rapid.String().Draw(t, "order"), rapid.String().Draw(t, "status")
		f.Repeats, f.Index = rapid.Int().Draw(t, "repeats"), rapid.Int().Draw(t, "index")
		f.Decision.Config = rapid.Uint64().Draw(t, "revision")
		f.OccurredAt = time.Unix(rapid.Int64Range(-62135596800, 253402300799).Draw(t, "second"),
			rapid.Int64Range(0, 999_999_999).Draw(t, "nanosecond")).UTC()
		f.Amount = domain.NewMoney(rapid.Int64Min(-1<<62).Draw(t, "minor"),
			rapid.SampledFrom([]domain.Currency{domain.CNY, domain.JPY, domain.USDT}).Draw(t, "currency"))
		if f.Amount.IsZero() {
			f.Amount = domain.Money{}
		}
		storable(t, facts(f))
	})
}

func meta() domain.Meta {
	return domain.Meta{
		RecordedAt: noon.Add(time.Microsecond), Actor: "channel:epay-main", Cause: delivery(1).String(),
		Trace: "4bf92f3577b34da6a3ce929d0e0e4736", Software: "counterfoil 0.1.0",
	}
}

func TestMeta(t *testing.T) {
	t.Parallel()
	const stored = `{"recorded_at":"2026-03-14T04:00:00.000001Z","actor":"channel:epay-main",` +
		`"cause":"de000000-0000-4000-8000-000000000001","trace":"4bf92f3577b34da6a3ce929d0e0e4736","software":"counterfoil 0.1.0"}`
	data, err := domain.EncodeMeta(meta())
	if err != nil || string(data) != stored {
		t.Fatalf("stored as %s, %v", data, err)
	}
	for _, m := range []domain.Meta{
		meta(),
		{RecordedAt: noon, Actor: "system", Software: "<dev>"},
		{RecordedAt: noon.In(shanghai), Actor: "person:李", Software: "dev"},
	} {
		data, err := domain.EncodeMeta(m)
		if err != nil {
			t.Fatal(err)
		}
		back, err := domain.DecodeMeta(data)
		if err != nil {
			t.Fatal(err)
		}
		same(t, "meta", m, back)
	}
	for _, other := range []string{
		"", "null", "[]", stored + "{}", stored[:len(stored)-1] + `,"note":""}`,
		strings.Replace(stored, `"actor"`, `"Actor"`, 1), strings.Replace(stored, `{`, `{"actor":"x",`, 1),
		strings.Replace(stored, `T04:00`, ` 04:00`, 1),
	} {
		if m, err := domain.DecodeMeta([]byte(other)); err == nil || domain.KindOf(err) != domain.KindCorrupt || m != (domain.Meta{}) {
			t.Errorf("%s: %v, %v", other, m, err)
		}
	}
}

func TestEvidence(t *testing.T) {
	t.Parallel()
	e := domain.Evidence{
		Kind: "callback", Method: "POST", Target: "/callbacks/epay-main?a=1&b=<2>", Status: 200,
		Headers: []domain.Header{{Name: "Content-Type", Value: "application/x-www-form-urlencoded"}},
		Body:    []byte("money=10.00&name=\xd6\xd0\x00"), Remote: "192.0.2.1", At: noon, Scheme: "epay.md5.v1",
		Key: "hmac:2c3d", Grade: domain.GradeB,
	}
	const stored = `{"kind":"callback","method":"POST","target":"/callbacks/epay-main?a=1&b=<2>","status":200,` +
		`"headers":[{"name":"Content-Type","value":"application/x-www-form-urlencoded"}],` +
		`"body":"bW9uZXk9MTAuMDAmbmFtZT3W0AA=","remote":"192.0.2.1","at":"2026-03-14T04:00:00Z",` +
		`"scheme":"epay.md5.v1","key":"hmac:2c3d","grade":"B"}`
	data, err := e.Encode()
	if err != nil || string(data) != stored {
		t.Fatalf("stored as %s, %v", data, err)
	}
	back, err := domain.DecodeEvidence(data)
	if err != nil || !reflect.DeepEqual(back, e) {
		t.Errorf("read back: %+v, %v", back, err)
	}
	for _, other := range []string{"", "null", stored + " x", strings.Replace(stored, `"kind"`, `"Kind"`, 1), strings.Replace(stored, `{`, `{"kind":"query",`, 1)} {
		if back, err := domain.DecodeEvidence([]byte(other)); err == nil || domain.KindOf(err) != domain.KindCorrupt || back.Kind != "" {
			t.Errorf("%s: %v, %v", other, back, err)
		}
	}
}
