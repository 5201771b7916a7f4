package ledger

import (
	"context"
	"sync"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/eventstore"
)

// word is what a person signs of a difference: the first word, or the second
// behind the leaf of the first.
func word(l *Ledger, d domain.ReconciliationDiffered, person, reason string) (domain.Fact, []byte, error) {
	s := domain.ReconciliationStream(main, string(bookDay))
	a, leaf, err := l.Aside(context.Background(), main, bookDay, d.Discrepancy)
	if err != nil {
		return nil, nil, err
	}
	f, err := a.Say(testID, s, d, person, reason)
	return f, domain.WordStatement(testID, s, leaf, f, noon), err
}

// TestAsidesAreSigned: who has a key says with it that a difference needs
// nothing more, this one and no other, as it stands; both words are events.
func TestAsidesAreSigned(t *testing.T) {
	w := parallel(t)
	l := w.process(t)
	ctx := context.Background()
	wang, li := newPen("wang", 1), newPen("li", 2)
	wang.signs(t, l, "li")
	li.signs(t, l, "wang")
	d, other := differed(1, "bill-1"), differed(2, "bill-1")
	if err := l.Reconciled(ctx, main, bookDay, []domain.Fact{comparison("bill-1"), d, other}, desk); err != nil {
		t.Fatal(err)
	}
	more := d
	more.Ours = five
	text := func(d domain.ReconciliationDiffered, person, reason string) []byte {
		_, text, err := word(l, d, person, reason)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	say := func(p pen, sig *domain.Signature) error {
		_, err := l.SetAside(ctx, main, bookDay, d, p.person, "agreed", sig, desk)
		return err
	}
	refusesUnsigned(t, func(sig *domain.Signature) error { return say(li, sig) }, map[string]*domain.Signature{
		"with another person's key": wang.under(text(d, "li", "agreed")),
		"for another person":        li.under(text(d, "wang", "agreed")),
		"of another difference":     li.under(text(other, "li", "agreed")),
		"of another amount":         li.under(text(more, "li", "agreed")),
		"for another reason":        li.under(text(d, "li", "lost")),
	})
	first := li.under(text(d, "li", "agreed"))
	if err := say(li, first); err != nil {
		t.Fatal(err)
	}
	if err := say(li, first); domain.KindOf(err) != domain.KindDenied {
		t.Errorf("the same person twice: %v", err)
	}
	if a, err := l.SetAside(ctx, main, bookDay, other, "li", "agreed", li.under(text(other, "li", "agreed")), desk); err != nil || a.Ask.By != "li" {
		t.Fatalf("%+v, %v", a, err)
	}
	refusesUnsigned(t, func(sig *domain.Signature) error { return say(wang, sig) }, map[string]*domain.Signature{
		"the first person's":    first,
		"of another difference": wang.under(text(other, "wang", "agreed")),
		"with the first's key":  li.under(text(d, "wang", "agreed")),
	})
	a, err := l.SetAside(ctx, main, bookDay, d, "wang", "agreed", wang.under(text(d, "wang", "agreed")), desk)
	if err != nil || a.Done == nil || a.Done.By != "wang" || a.Done.AskedBy != "li" || a.Done.Signature.Key != wang.fingerprint() || !a.DoneAt.Equal(noon) {
		t.Fatalf("%+v, %v", a, err)
	}
	if err := say(wang, nil); domain.KindOf(err) != domain.KindConflict {
		t.Errorf("set aside twice: %v", err)
	}
	if got := told(t, w); got != 6 {
		t.Errorf("%d events, want the comparison, two differences, two first words and a second", got)
	}
	checkLog(t, w)
}

// TestWordsAtOnce: of many persons at many processes one is the first and one
// the second, and what a third says is refused.
func TestWordsAtOnce(t *testing.T) {
	w := parallel(t)
	d := differed(1, "bill-1")
	kinds := make(chan domain.Kind, 8)
	var all sync.WaitGroup
	for _, who := range []string{"li", "li", "wang", "wang", "zhao", "zhao", "wu", "wu"} {
		l := w.process(t)
		all.Go(func() {
			_, err := l.SetAside(context.Background(), main, bookDay, d, who, "agreed", nil, desk)
			if err != nil {
				kinds <- domain.KindOf(err)
			}
		})
	}
	all.Wait()
	close(kinds)
	for k := range kinds {
		if k != domain.KindConflict && k != domain.KindDenied {
			t.Errorf("refused as %v", k)
		}
	}
	a, leaf, err := w.process(t).Aside(context.Background(), main, bookDay, d.Discrepancy)
	if err != nil || a.Done == nil || a.Done.By == a.Done.AskedBy || a.Words != 2 || leaf != [32]byte{} || told(t, w) != 2 {
		t.Errorf("%+v, %d events, %v", a, told(t, w), err)
	}
	checkLog(t, w)
}

// TestWordsOfOneMoment: the ids of two first words are the same, and each is a
// word: who was slower is the second person.
func TestWordsOfOneMoment(t *testing.T) {
	w := parallel(t)
	one, two := w.process(t), w.process(t)
	d := differed(1, "bill-1")
	say := func(l *Ledger, who string) domain.Aside {
		a, err := l.SetAside(context.Background(), main, bookDay, d, who, "agreed", nil, desk)
		if err != nil {
			t.Error(err)
		}
		return a
	}
	w.log.Before(func(domain.Stream, []eventstore.Event) {
		w.log.Before(nil)
		say(two, "wang")
	})
	if a := say(one, "li"); a.Done == nil || a.Done.By != "li" || a.Done.AskedBy != "wang" || told(t, w) != 2 {
		t.Errorf("%+v, %d events", a, told(t, w))
	}
	checkLog(t, w)
}

// TestNoWordComesAsAConclusion: what persons say goes through SetAside, where
// its signature is looked at.
func TestNoWordComesAsAConclusion(t *testing.T) {
	w := parallel(t)
	l := w.process(t)
	d := differed(1, "bill-1")
	ask, _, err := word(l, d, "li", "agreed")
	if err != nil {
		t.Fatal(err)
	}
	second, err := domain.Aside{}.Apply(ask, noon.Add(time.Minute)).Say(testID, domain.ReconciliationStream(main, string(bookDay)), d, "wang", "agreed")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []domain.Fact{ask, second} {
		wantKind(t, l.Reconciled(context.Background(), main, bookDay, []domain.Fact{f}, desk), domain.KindInternal)
	}
	if _, err := w.store.ReadStream(context.Background(), domain.ReconciliationStream(main, string(bookDay)), eventstore.ReadOptions{}); domain.KindOf(err) != domain.KindNotFound {
		t.Errorf("something was appended: %v", err)
	}
}
