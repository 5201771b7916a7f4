package main

import (
	"bytes"
	"crypto/sha256"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"counterfoil/audit"
	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/providers"
	"counterfoil/providers/epay"
	"counterfoil/sandbox"
	"counterfoil/tamperlog"
)

// What a log records of a channel suffices to verify its evidence again, by
// the same key and without any secret.
func TestStrangersVerifyWithRecordedKeys(t *testing.T) {
	t.Parallel()
	gateway, err := sandbox.NewKeyPair()
	if err != nil {
		t.Fatal(err)
	}
	merchant, err := sandbox.NewKeyPair()
	if err != nil {
		t.Fatal(err)
	}
	ours, err := epay.New(epay.Config{
		Channel: "epay-c", Version: epay.V2, Gateway: "https://pay.example.org", PID: "1001", PlatformKey: gateway.Public,
		MerchantKey: providers.NewSecret(merchant.Private), Ledger: domain.ID{1},
	}, nil, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	p := &program{clock: time.Now}
	theirs := p.strangers([]domain.ChannelConfigured{ours.Config(), {Channel: "epay-a", Provider: "epay", Protocol: "v1"}}, nil)
	if len(theirs) != 1 {
		t.Fatalf("%d channels", len(theirs))
	}
	if got, want := publicKeys(theirs["epay-c"].Config()), publicKeys(ours.Config()); !slices.Equal(got, want) || len(want) != 1 {
		t.Errorf("platform keys %s, want %s", got, want)
	}
}

// A receipt of an order that was placed and never paid is a true one, and must
// not pass for a credit.
func TestReceiptsOfSomethingElseAreNoCredits(t *testing.T) {
	t.Parallel()
	id := domain.ID{1}
	private, public, err := tamperlog.NewKey(tamperlog.Origin(id))
	if err != nil {
		t.Fatal(err)
	}
	amount := domain.NewMoney(730, domain.CNY)
	for want, fact := range map[string]domain.Fact{
		"verdict: the receipt holds; ": domain.PaymentCredited{TradeNo: "T1", Account: "user:1", Amount: amount, Postings: []domain.Posting{
			{Book: "assets:psp:epay-a", Amount: amount}, {Book: domain.BookWallet, Wallet: "user:1", Amount: amount.Neg()},
		}, Rules: 1},
		"verdict: the event is in the log, and it is no credit": domain.PaymentPlaced{
			Channel: "epay-a", OrderNo: "A1", Account: "user:1", Amount: amount,
		},
	} {
		var out bytes.Buffer
		p := &program{stdout: &out}
		err := p.checkReceipt(receiptOf(t, id, private, fact), []string{public})
		if got := out.String(); !strings.Contains(got, want) || (err == nil) != strings.HasPrefix(want, "verdict: the receipt") {
			t.Errorf("%s: %v\n%s", fact.FactType(), err, got)
		}
	}
}

// receiptOf is a file with the receipt of a fact in a log of its own.
func receiptOf(t *testing.T, id domain.ID, key string, fact domain.Fact) string {
	t.Helper()
	typ, data, err := domain.EncodeFact(fact)
	if err != nil {
		t.Fatal(err)
	}
	meta, err := domain.EncodeMeta(domain.Meta{RecordedAt: time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC), Actor: "channel:epay-a"})
	if err != nil {
		t.Fatal(err)
	}
	r := audit.Receipt{Event: audit.Preimage{
		Stream: "payment-epay-a:A1", Event: eventstore.Event{ID: id, Type: typ, Data: data, Meta: meta}, Sealed: sha256.Sum256(nil),
	}}
	leaf := eventstore.LeafHashSealed(r.Event.Stream, r.Event.Revision, r.Event.Event, r.Event.Sealed)
	signer, err := note.NewSigner(key)
	if err != nil {
		t.Fatal(err)
	}
	head := tamperlog.Checkpoint{Origin: tamperlog.Origin(id), Size: 1, Root: leaf}
	if r.Note, err = note.Sign(&note.Note{Text: head.Text()}, signer); err != nil {
		t.Fatal(err)
	}
	text, err := r.JSON()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "receipt.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// The last line is what people read: it never says that all is well of a log that
// differs from the bill they brought.
func TestVerdictsTellOfTheBill(t *testing.T) {
	t.Parallel()
	whole := audit.Report{Tree: audit.Tree{Compared: true}}
	for want, bill := range map[string]*audit.Completeness{
		"verdict: all is well": nil,
		"verdict: nothing is wrong within the log, and it differs from the bill": {
			Differences: []audit.BillDifference{{Kind: domain.OnlyTheirs, State: domain.DifferenceOpen}},
		},
		"verdict: nothing is wrong within the log, but the bill cannot be read": {Unread: "it was cut short"},
	} {
		rep := whole
		if bill != nil {
			rep.Bills = []audit.Completeness{*bill}
		}
		var out bytes.Buffer
		if err := printFindings(&out, rep); err != nil || strings.TrimSpace(out.String()) != want {
			t.Errorf("%q, %v, want %q", out.String(), err, want)
		}
	}
}
