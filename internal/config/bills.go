package config

import (
	"path/filepath"
	"time"

	"counterfoil/domain"
)

// Bills shapes the comparison with the providers' bills; what belongs to one
// channel stands there.
type Bills struct {
	Archive    string `koanf:"archive"`     // folder of the bills as they came, kept for ever
	CatchUp    int    `koanf:"catch_up"`    // days back for which missing bills are fetched
	MaxItems   int    `koanf:"max_items"`   // differences that one run may judge
	MaxPercent int    `koanf:"max_percent"` // of a day's lines that may differ before something else must be wrong

	MaxProposals       int `koanf:"max_proposals"`        // corrections that one run may propose to people
	MaxProposalPercent int `koanf:"max_proposal_percent"` // of a day's lines for which it may

	Answers bool `koanf:"ask_instead"` // where a provider makes no bills, ask about each payment of the day
}

func billsDefaults() Bills {
	t := domain.DefaultTolerance()
	return Bills{
		Archive: "archive", CatchUp: 31, MaxItems: t.MaxItems, MaxPercent: t.MaxPercent,
		MaxProposals: t.MaxProposals, MaxProposalPercent: t.MaxProposalPercent,
	}
}

func (b *Bills) finish(dir string) error {
	switch {
	case b.Archive == "":
		return wrong("bills.archive", "", "must name a folder")
	case b.CatchUp < 1 || b.CatchUp > 365:
		return domain.EField(domain.KindInvalid, "bills.catch_up", "%d: must be 1 to 365 days", b.CatchUp)
	case b.MaxItems < 1 || b.MaxItems > 100_000:
		return domain.EField(domain.KindInvalid, "bills.max_items", "%d: must be 1 to 100000", b.MaxItems)
	case b.MaxPercent < 1 || b.MaxPercent > 100:
		return domain.EField(domain.KindInvalid, "bills.max_percent", "%d: must be 1 to 100", b.MaxPercent)
	case b.MaxProposals < 1 || b.MaxProposals > 10_000:
		return domain.EField(domain.KindInvalid, "bills.max_proposals", "%d: must be 1 to 10000", b.MaxProposals)
	case b.MaxProposalPercent < 1 || b.MaxProposalPercent > 100:
		return domain.EField(domain.KindInvalid, "bills.max_proposal_percent", "%d: must be 1 to 100", b.MaxProposalPercent)
	}
	if !filepath.IsAbs(b.Archive) {
		b.Archive = filepath.Join(dir, b.Archive)
	}
	return nil
}

// billDefaults fills how a channel's bills are compared. A wait or cut of its
// own that is to be none is written as such: bill_wait_days: -1, bill_cut: -1s.
func (ch *Channel) billDefaults() {
	if ch.BillSchedule == "" {
		ch.BillSchedule = "*/5 * * * *"
	}
	if ch.BillWaitDays == 0 {
		ch.BillWaitDays = 1
	}
	if ch.BillCut == 0 {
		ch.BillCut = 30 * time.Minute
	}
	if ch.FeeWithin == "" {
		ch.FeeWithin = "0.01"
	}
}

func (ch *Channel) checkBills(field func(string) string) error {
	if ch.BillWaitDays < -1 || ch.BillWaitDays > 60 {
		return domain.EField(domain.KindInvalid, field("bill_wait_days"), "%d: must be 1 to 60, or -1 for none", ch.BillWaitDays)
	}
	if err := between(field("bill_cut"), ch.BillCut, -time.Second, 6*time.Hour); err != nil {
		return err
	}
	ch.BillWaitDays, ch.BillCut = max(0, ch.BillWaitDays), max(0, ch.BillCut)
	return between(field("bill_apart"), ch.BillApart, 0, 48*time.Hour)
}
