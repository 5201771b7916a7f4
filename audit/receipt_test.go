package audit_test

import (
	"strings"
	"testing"

	"counterfoil/audit"
	"counterfoil/domain"
	"counterfoil/tamperlog"
)

func (w *world) treeKey() string {
	w.t.Helper()
	key, err := tamperlog.OpenFolder(w.file("tree")).Key()
	must(w.t, err)
	return key
}

func (w *world) receipt(ch domain.ChannelID, order domain.OrderNo) audit.Receipt {
	w.t.Helper()
	r, err := audit.MakeReceipt(w.t.Context(), w.events, w.deps().Tree, ch, order)
	must(w.t, err)
	return r
}

func TestReceiptsProveACredit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.live()
	for order, typ := range map[domain.OrderNo]string{"A1": domain.TypePaymentCredited, "A2": domain.TypePaymentAllocated} {
		r := w.receipt(trusting, order)
		long, err := r.JSON()
		must(t, err)
		short, err := r.Text()
		must(t, err)
		t.Logf("%s: %d bytes of JSON, %d characters of text", order, len(long), len(short))
		if len(short) >= 2000 || len(long) > 2500 {
			t.Errorf("%d characters of text, %d of JSON", len(short), len(long))
		}
		for _, form := range []string{string(long), short, " " + short + "\n"} {
			back, err := audit.ParseReceipt([]byte(form))
			must(t, err)
			p, err := back.Check(w.treeKey())
			if err != nil || p.Entry.Type != typ || p.Entry.Stream != domain.PaymentStream(trusting, order) {
				t.Errorf("%s: %+v, %v", order, p, err)
			}
		}
	}
	if _, err := audit.MakeReceipt(t.Context(), w.events, w.deps().Tree, trusting, "A3"); domain.KindOf(err) != domain.KindNotFound {
		t.Errorf("an order without credit: %v", err)
	}
}

// The short form stays below 2,000 characters with the longest path of ten
// million leaves.
func TestShortReceiptsFitACode(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.live()
	r := w.receipt(trusting, "A1")
	for len(r.Path) < 24 {
		r.Path = append(r.Path, [32]byte{byte(len(r.Path)), 0xa7, 0x3c})
	}
	text, err := r.Text()
	if err != nil || len(text) >= 2000 {
		t.Errorf("%d characters, %v", len(text), err)
	}
}

// Whatever is changed in a receipt, it no longer passes; nor does it with
// another key.
func TestChangedReceiptsFail(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.live()
	r := w.receipt(trusting, "A1")
	key := w.treeKey()
	_, other, err := tamperlog.NewKey(tamperlog.Origin(w.ledger.ID()))
	must(t, err)
	if _, err := r.Check(other); domain.KindOf(err) != domain.KindForged {
		t.Errorf("another key: %v", err)
	}
	long, err := r.JSON()
	must(t, err)
	short, err := r.Text()
	must(t, err)
	for _, c := range [][2]string{
		{"7.30", "97.30"},
		{"user:1", "user:2"},
		{`"revision":2`, `"revision":1`},
		{"payment-epay-a:A1", "payment-epay-a:A9"},
		{`"index":`, `"index":1`},
		{"counterfoil-receipt/1", "counterfoil-receipt/2"},
		{"payment.credited.v1", "payment.credited.v2"},
	} {
		changed := strings.ReplaceAll(string(long), c[0], c[1])
		if changed == string(long) {
			t.Fatalf("%s is not in %s", c[0], long)
		}
		if back, err := audit.ParseReceipt([]byte(changed)); err == nil {
			if _, err := back.Check(key); err == nil {
				t.Errorf("%s for %s passes", c[1], c[0])
			}
		}
	}
	for i := range short {
		b := []byte(short)
		if b[i] = 'A'; b[i] == short[i] {
			b[i] = 'B'
		}
		if back, err := audit.ParseReceipt(b); err == nil {
			if p, err := back.Check(key); err == nil {
				t.Errorf("character %d changed: passes as %+v", i, p.Entry)
			}
		}
	}
	for n := range short {
		if back, err := audit.ParseReceipt([]byte(short[:n])); err == nil {
			if _, err := back.Check(key); err == nil {
				t.Errorf("%d of %d characters pass", n, len(short))
			}
		}
	}
}
