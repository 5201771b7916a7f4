package audit_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"counterfoil/audit"
	"counterfoil/domain"
	"counterfoil/eventstore"
)

// newer appends an event that a newer program wrote, and seals it.
func (w *world) newer(stream domain.Stream, typ string) eventstore.Recorded {
	w.t.Helper()
	expected := eventstore.NoStream
	if events, err := w.events.ReadStream(w.t.Context(), stream, eventstore.ReadOptions{}); err == nil {
		expected = eventstore.Expected(events[len(events)-1].Revision)
	}
	meta, err := domain.EncodeMeta(domain.Meta{RecordedAt: w.now, Actor: "system", Software: "counterfoil/9"})
	must(w.t, err)
	_, err = w.events.Append(w.t.Context(), stream, expected, []eventstore.Event{{ID: domain.ID{9, 9}, Type: typ, Data: []byte(`{"new":1}`), Meta: meta}})
	must(w.t, err)
	w.seal()
	events, err := w.events.ReadStream(w.t.Context(), stream, eventstore.ReadOptions{})
	must(w.t, err)
	return events[len(events)-1]
}

// TestFutureEventsInTheStore: an event of a type or a version that this program
// does not know is named with its position, whatever stream it stands in, and
// the log does not pass.
func TestFutureEventsInTheStore(t *testing.T) {
	t.Parallel()
	whole := newWorld(t)
	whole.live()
	must(t, whole.ledger.Act(t.Context(), domain.Act{What: domain.ActExport, Person: "li", From: "cli", Subject: "x"}, clerk))
	whole.ownKey("li", "wang", 1)
	whole.close()
	for _, stream := range []domain.Stream{
		domain.LedgerStream, domain.ChannelStream(trusting), domain.PolicyStream(trusting), domain.PeopleStream, domain.ActsStream(whole.now),
		domain.PeriodsStream, domain.PaymentStream(trusting, "A1"), domain.PaymentStream(trusting, "NEW"), "book-epay-a:2026-11-22", "payout-epay-a:p1",
		"opening-epay-a", "draw-log-1", "unmatched-epay-a", "reconciliation-epay-a:2026-11-22", "correction-1", "vault-1",
	} {
		t.Run(string(stream), func(t *testing.T) {
			t.Parallel()
			w := whole.copy(t)
			w.open()
			r := w.newer(stream, "payment.credited.v2")
			for _, rep := range []audit.Report{w.verify(), w.verify(scratch(t))} {
				want := `type: "payment.credited.v2" is unknown to this software: it was written by a newer one`
				if len(rep.Findings) != 1 || rep.Findings[0].Position != r.Position || !strings.Contains(rep.Findings[0].Text, want) {
					t.Errorf("want position %s and %q, found %+v", r.Position, want, rep.Findings)
				}
			}
		})
	}
}

// TestFutureEventsInABundle: a bundle that a newer program made of the same log,
// with an event this program does not know under a good proof: both verifiers
// name type, version and position.
func TestFutureEventsInABundle(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.live()
	key := w.treeKey()
	r := w.newer("payment-epay-a:NEW", "payment.credited.v2")
	files := unzip(t, w.bundle(payment("epay-a/A1")))
	index := w.alsoIn(files, r)
	b := rezip(t, files, true)
	rep := w.check(b, key)
	want := fmt.Sprintf(`event %d is in the log, and this program cannot read it; a newer one may: event 0 of payment-epay-a:NEW at %s: `+
		`type: "payment.credited.v2" is unknown to this software`, index, r.Position)
	if last := rep.Claims[len(rep.Claims)-1]; rep.OK() || last.Name != audit.ClaimStreams || !strings.Contains(last.Text, want) {
		t.Errorf("want %q: %+v", want, rep.Claims)
	}
	out, code := python(t, b, key)
	want = fmt.Sprintf("streams     NO   event %d of payment-epay-a:NEW is a 'payment.credited.v2', which a newer program wrote", index)
	if code != 5 || !strings.Contains(out, want) {
		t.Errorf("want %q: %d\n%s", want, code, out)
	}
}

// alsoIn puts an event into a bundle with its proof, and returns its index.
func (w *world) alsoIn(files map[string][]byte, r eventstore.Recorded) uint64 {
	w.t.Helper()
	head, tree := w.checkpoint(), w.deps().Tree
	leaf, err := tree.ByPosition(r.Position, head.Size)
	must(w.t, err)
	path, err := tree.Inclusion(head.Checkpoint, leaf.Index, head.Size)
	must(w.t, err)
	hashes := []string{}
	for _, h := range path {
		hashes = append(hashes, base64.StdEncoding.EncodeToString(h[:]))
	}
	add := func(name string, line map[string]any) {
		b, err := json.Marshal(line)
		must(w.t, err)
		files[name] = append(files[name], append(b, '\n')...)
	}
	add("events.ndjson", map[string]any{
		"index": leaf.Index, "position": r.Position.String(), "stream": r.Stream, "revision": r.Revision, "id": r.ID.String(), "type": r.Type,
		"data": string(r.Data), "meta": string(r.Meta), "sealed_sha256": hex.EncodeToString(r.SealedHash[:]),
	})
	add("proofs.ndjson", map[string]any{"index": leaf.Index, "path": hashes})
	var m map[string]any
	must(w.t, json.Unmarshal(files["manifest.json"], &m))
	streams, _ := m["streams"].([]any)
	m["streams"] = append(streams, map[string]any{"stream": r.Stream, "events": r.Revision + 1})
	files["manifest.json"], err = json.Marshal(m)
	must(w.t, err)
	return leaf.Index
}

// TestTheOtherVerifierKnowsEveryType: what is not in its list is refused as newer.
func TestTheOtherVerifierKnowsEveryType(t *testing.T) {
	t.Parallel()
	list := regexp.MustCompile(`(?s)TYPES = set\("""(.*?)"""`).FindStringSubmatch(string(fileOf(t, script)))
	if len(list) != 2 {
		t.Fatal("the script has no list of types")
	}
	if have, want := strings.Fields(list[1]), domain.Types(); !slices.Equal(have, want) {
		t.Errorf("%s knows %q, the registry is %q", script, have, want)
	}
}
