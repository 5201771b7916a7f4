package ledger

import (
	"context"
	"slices"
	"sync"
	"testing"

	"counterfoil/domain"
	"counterfoil/eventstore"
)

// asks is a process on w that is configured with change on top of what the
// others have.
func asks(t *testing.T, w *world, change func(*domain.ChannelConfigured)) *Ledger {
	t.Helper()
	ctx := context.Background()
	l, err := Open(ctx, w.log, w.keys, w.config())
	if err != nil {
		t.Fatal(err)
	}
	cfg := settings(asked, domain.ConfirmAlways)
	if _, err := l.Settings(ctx, asked); domain.KindOf(err) == domain.KindNotFound {
		if err := l.Configure(ctx, cfg, system); err != nil {
			t.Fatal(err)
		}
	}
	change(&cfg)
	if err := l.Configure(ctx, cfg, system); err != nil {
		t.Fatal(err)
	}
	return l
}

func loosen(c *domain.ChannelConfigured) {
	c.Confirm, c.Gateway = domain.ConfirmNever, "https://new.example"
}

// policyFacts are the facts of the channel's policy stream.
func policyFacts(t *testing.T, w *world) []domain.Fact {
	t.Helper()
	events, err := w.store.ReadStream(context.Background(), domain.PolicyStream(asked), eventstore.ReadOptions{})
	if err != nil && domain.KindOf(err) != domain.KindNotFound {
		t.Fatal(err)
	}
	var out []domain.Fact
	for _, r := range events {
		e, err := Decode(r)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, e.Fact)
	}
	return out
}

func inForce(t *testing.T, l *Ledger) domain.ChannelConfigured {
	t.Helper()
	cfg, err := l.InForce(asked)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// TestLooseningTakesTwoPersons: a daemon configured with a looser policy goes on
// with the old one, and with the rest of the change; the first yes changes
// nothing, nor does the same person's second; the other person's does.
func TestLooseningTakesTwoPersons(t *testing.T) {
	w := parallel(t)
	ctx := context.Background()
	l := asks(t, w, loosen)
	if got := inForce(t, l); got.Confirm != domain.ConfirmAlways || got.Gateway != "https://new.example" || got.Revision != 1 {
		t.Fatalf("in force: %+v", got)
	}
	waiting := l.Waiting()
	if len(waiting) != 1 || !slices.Equal(waiting[0].Ask.Loosens, []string{"confirm_by_query: never, was always"}) {
		t.Fatalf("waiting: %+v", waiting)
	}
	id := waiting[0].Ask.Proposal
	for range 3 {
		q, err := l.ApprovePolicy(ctx, asked, id, "li", "agreed", nil, desk)
		if err != nil || q.State != domain.PolicyWaiting || inForce(t, l).Confirm != domain.ConfirmAlways {
			t.Fatalf("one person's yes: %+v, %v", q, err)
		}
	}
	w.place(t, l, domain.Order{Channel: asked, OrderNo: "A1", Account: alice, Amount: ten, ExpiresAt: until})
	must(t, l, w.callback(1, asked, "A1", "T1", ten), domain.OutcomeHeld)
	q, err := l.ApprovePolicy(ctx, asked, id, "wang", "agreed", nil, desk)
	if err != nil || q.State != domain.PolicyInForce || inForce(t, l).Confirm != domain.ConfirmNever || len(l.Waiting()) != 0 {
		t.Fatalf("two persons' yes: %+v, %v", q, err)
	}
	facts := policyFacts(t, w)
	last, ok := facts[len(facts)-1].(domain.ConfigApplied)
	if !ok || last.Revision != 2 || last.Proposal != id || !slices.Equal(last.ApprovedBy, []string{"li", "wang"}) {
		t.Errorf("told: %+v", facts[len(facts)-1])
	}
	if len(facts) != 5 { // applied (gateway), proposed, two approvals, applied
		t.Errorf("%d facts: %+v", len(facts), facts)
	}
	checkLog(t, w)
}

// TestPolicyIsRejected: a person's no ends it; the same settings stay out of
// force, and nothing is asked again.
func TestPolicyIsRejected(t *testing.T) {
	w := parallel(t)
	ctx := context.Background()
	l := asks(t, w, loosen)
	id := l.Waiting()[0].Ask.Proposal
	if _, err := l.RejectPolicy(ctx, asked, id, "wang", "", desk); domain.KindOf(err) != domain.KindInvalid {
		t.Errorf("a no without a reason: %v", err)
	}
	if q, err := l.RejectPolicy(ctx, asked, id, "wang", "not now", desk); err != nil || q.State != domain.PolicyRejected {
		t.Fatalf("rejected: %+v, %v", q, err)
	}
	for _, person := range []string{"li", "zhao"} {
		if _, err := l.ApprovePolicy(ctx, asked, id, person, "", nil, desk); domain.KindOf(err) != domain.KindConflict {
			t.Errorf("%s after the no: %v", person, err)
		}
	}
	again := asks(t, w, loosen)
	if got := again.Waiting(); len(got) != 1 || got[0].State != domain.PolicyRejected || inForce(t, again).Confirm != domain.ConfirmAlways {
		t.Errorf("after a restart: %+v", got)
	}
	if _, err := l.ApprovePolicy(ctx, asked, domain.ID{1}, "li", "", nil, desk); domain.KindOf(err) != domain.KindNotFound {
		t.Errorf("an unknown proposal: %v", err)
	}
}

// TestApprovalIsOfTheseSettings: what was agreed to holds for these settings
// behind these ones only.
func TestApprovalIsOfTheseSettings(t *testing.T) {
	w := parallel(t)
	ctx := context.Background()
	first := asks(t, w, loosen)
	id := first.Waiting()[0].Ask.Proposal
	if _, err := first.ApprovePolicy(ctx, asked, id, "li", "", nil, desk); err != nil {
		t.Fatal(err)
	}
	other := asks(t, w, func(c *domain.ChannelConfigured) { loosen(c); c.DisputeLost = domain.LostByExpense })
	if got := other.Waiting()[0]; got.Ask.Proposal == id || len(got.Approved) != 0 {
		t.Errorf("other settings come with approvals: %+v", got)
	}
	other = asks(t, w, func(c *domain.ChannelConfigured) { loosen(c); c.Gateway = "https://third.example" })
	if got := other.Waiting()[0]; got.Ask.Proposal == id || got.Ask.Base != 2 || len(got.Approved) != 0 {
		t.Errorf("the same on another base comes with approvals: %+v", got)
	}
}

// TestApprovalsRace: processes and persons at once; one application, and one
// approval of each person at most.
func TestApprovalsRace(t *testing.T) {
	for range 20 {
		w := newWorld(t)
		w.process(t)
		processes := []*Ledger{asks(t, w, loosen), asks(t, w, loosen), asks(t, w, loosen)}
		id := processes[0].Waiting()[0].Ask.Proposal
		var all sync.WaitGroup
		for i, person := range []string{"li", "wang", "li", "wang", "li"} {
			all.Go(func() {
				_, err := processes[i%3].ApprovePolicy(context.Background(), asked, id, person, "", nil, desk)
				if err != nil && domain.KindOf(err) != domain.KindConflict {
					t.Error(err)
				}
			})
		}
		all.Wait()
		yes, applied := map[string]int{}, map[uint64]int{}
		for _, f := range policyFacts(t, w) {
			switch f := f.(type) {
			case domain.ConfigApproved:
				yes[f.By]++
			case domain.ConfigApplied:
				applied[f.Revision]++
			default:
			}
		}
		if yes["li"] != 1 || yes["wang"] != 1 || applied[1] != 1 || applied[2] != 1 {
			t.Fatalf("approvals %v, applied %v", yes, applied)
		}
		for _, l := range processes {
			if err := l.Reconfigure(context.Background()); err != nil {
				t.Fatal(err)
			}
			if got := inForce(t, l); got.Revision != 2 || got.Confirm != domain.ConfirmNever {
				t.Errorf("in force: %+v", got)
			}
		}
	}
}

// TestAppliedIsToldAfterAKill: a process that is killed between a change and its
// telling leaves it to the next one.
func TestAppliedIsToldAfterAKill(t *testing.T) {
	w := parallel(t)
	l := w.process(t)
	cfg := settings(asked, domain.ConfirmAlways)
	cfg.Gateway, cfg.Revision = "https://new.example", 1
	if err := l.appendSettings(context.Background(), cfg, system); err != nil {
		t.Fatal(err)
	}
	asks(t, w, func(c *domain.ChannelConfigured) { c.Gateway = cfg.Gateway })
	facts := policyFacts(t, w)
	if len(facts) != 1 {
		t.Fatalf("told: %+v", facts)
	}
	if f, ok := facts[0].(domain.ConfigApplied); !ok || f.Revision != 1 || !slices.Equal(f.Differences, []string{"gateway: https://new.example, was https://pay.example.com"}) {
		t.Errorf("told: %+v", facts[0])
	}
}
