package config

import (
	"path/filepath"
	"testing"
	"time"

	"counterfoil/domain"
)

// The wrong setting is named; relative folders lie below the installation's.
func TestBillsAreChecked(t *testing.T) {
	t.Parallel()
	for field, change := range map[string]func(*Bills){
		"":                  func(*Bills) {},
		"bills.archive":     func(b *Bills) { b.Archive = "" },
		"bills.catch_up":    func(b *Bills) { b.CatchUp = 366 },
		"bills.max_items":   func(b *Bills) { b.MaxItems = 0 },
		"bills.max_percent": func(b *Bills) { b.MaxPercent = 101 },

		"bills.max_proposals":        func(b *Bills) { b.MaxProposals = 0 },
		"bills.max_proposal_percent": func(b *Bills) { b.MaxProposalPercent = 0 },
	} {
		b := billsDefaults()
		change(&b)
		err := b.finish("/srv/pay")
		if field == "" {
			if err != nil || b.Archive != filepath.Join("/srv/pay", "archive") {
				t.Errorf("%+v, %v", b, err)
			}
			continue
		}
		if err == nil || domain.FieldOf(err) != field {
			t.Errorf("%s: %v", field, err)
		}
	}
	b := Bills{Archive: "/mnt/bills", CatchUp: 1, MaxItems: 1, MaxPercent: 1, MaxProposals: 1, MaxProposalPercent: 1}
	if err := b.finish("/srv/pay"); err != nil || b.Archive != "/mnt/bills" {
		t.Errorf("%+v, %v", b, err)
	}
}

// A channel that says nothing waits a day and takes half an hour around
// midnight; one that wants none of it can say so.
func TestBillsOfAChannel(t *testing.T) {
	t.Parallel()
	field := func(name string) string { return "channels.a." + name }
	ch := Channel{}
	ch.billDefaults()
	if err := ch.checkBills(field); err != nil || ch.BillWaitDays != 1 || ch.BillCut != 30*time.Minute || ch.BillSchedule == "" {
		t.Errorf("%+v, %v", ch, err)
	}
	none := Channel{BillWaitDays: -1, BillCut: -time.Second}
	none.billDefaults()
	if err := none.checkBills(field); err != nil || none.BillWaitDays != 0 || none.BillCut != 0 {
		t.Errorf("%+v, %v", none, err)
	}
	for name, wrong := range map[string]Channel{
		"bill_wait_days": {BillWaitDays: 61}, "bill_cut": {BillCut: 7 * time.Hour}, "bill_apart": {BillApart: -time.Second},
	} {
		wrong.billDefaults()
		if err := wrong.checkBills(field); err == nil || domain.FieldOf(err) != field(name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
