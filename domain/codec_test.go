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

	"dispute.withdrawn.v1.Postings.Wallet":  true, // no wallet has a part in it
	"dispute.reinstated.v1.Postings.Wallet": true,
	"payment.notified.v1.About":             true, // in the forms of refund and dispute
	"payment.notified.v1.RefundID":          true,
	"payment.notified.v1.RefundNo":          true,
	"payment.notified.v1.Total":             true,
	"payment.notified.v1.DisputeID":         true,
	"payment.notified.v1.Fee":               true,
	"payment.notified.v1.Account":           true,
	"channel.configured.v1.Currencies":      true, // in the wide form
	"channel.configured.v1.AccountFrom":     true,
	"channel.configured.v1.DisputeLost":     true,
	"channel.configured.v1.Tolerance":       true,
	"channel.configured.v1.Corrections":     true, // in the limited form
	"correction.issued.v1.Proposal":         true, // in the form by persons
	"correction.issued.v1.Action":           true,
	"correction.issued.v1.Account":          true,
	"correction.issued.v1.From":             true,
	"correction.issued.v1.Amount":           true,
	"correction.issued.v1.Reverses":         true,
	"correction.issued.v1.Enters":           true, // in the entered form
	"correction.issued.v1.Dates":            true,
	"correction.issued.v1.Postings":         true,
	"correction.issued.v1.Rules":            true,
	"correction.proposed.v1.ByRun":          true, // in the form by a run
	"correction.proposed.v1.ValueDate":      true,
	"reconciliation.differed.v1.AskedBy":    true, // in the form by two persons
	"reconciliation.differed.v1.Proposal":   true, // in the form of persons' words
	"reconciliation.differed.v1.Signature":  true,
	"reconciliation.differed.v1.Correction": true, // in the repaired form
	"correction.seconded.v1.Signature":      true,
	"period.closing.v1.Signature":           true, // in the signed form
	"period.closed.v1.Signature":            true,
	"opening.booked.v1.Signature":           true,
	"config.approved.v1.Signature":          true,
	"correction.approved.v1.Signature":      true, // in the signed form
	"fees.booked.v1.Postings.Wallet":        true, // no wallet has a part in it
	"discount.booked.v1.Postings.Wallet":    true,
	"fx.booked.v1.Postings.Wallet":          true,
	"movement.booked.v1.Postings.Wallet":    true,
	"payout.sent.v1.Postings.Wallet":        true,
	"payout.arrived.v1.Postings.Wallet":     true,
	"payout.failed.v1.Postings.Wallet":      true,
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
