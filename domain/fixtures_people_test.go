package domain_test

import (
	"bytes"
	"maps"

	"counterfoil/domain"
)

// peopleFixtures are the fixtures of what people did and may do.
func peopleFixtures() map[string]domain.Fact {
	id := domain.ID{0: 0x5e, 6: 0x40, 8: 0x80, 15: 0x2a}
	signed := domain.CorrectionApproved{Proposal: id, By: "person:wang", Reason: "seen", Config: 3}
	signed.Signature = &domain.Signature{Key: "sha256:0a1b", Value: bytes.Repeat([]byte{0xfe}, 64), SignedAt: noon}
	closing := domain.PeriodClosing{Proposal: id, Period: "2026-03", By: "li", Reason: "x", EffectiveAt: noon, Basis: domain.PeriodBasis{Events: 9, Zones: []string{"UTC"}}, Rules: 1, Signature: signed.Signature}
	closed := domain.PeriodClosed{Proposal: id, Period: "2026-03", ProposedBy: "li", By: "wang", Basis: closing.Basis, Rules: 1, Signature: signed.Signature}
	all := map[string]domain.Fact{
		"correction.approved.v1.signed": signed,
		"period.closing.v1.signed":      closing,
		"period.closed.v1.signed":       closed,
		"opening.booked.v1.signed":      domain.OpeningBooked{Proposal: id, ProposedBy: "li", By: "wang", Dates: domain.Dates{OccurredAt: noon, ReceivedAt: noon, ValueDate: "2026-03-14", Period: "2026-03"}, Postings: legs("assets:psp:epay-main", "equity:opening", "", ten), Rules: 1, Signature: signed.Signature},
		"config.approved.v1.signed":     domain.ConfigApproved{Proposal: id, By: "wang", Reason: "agreed at the desk", Signature: signed.Signature},
		"reconciliation.asked.v1.full": domain.ReconciliationAsked{
			Proposal: id, Discrepancy: ledgerID, Kind: domain.AmountMismatch, Line: domain.LineRefund, OrderNo: "订单 <1>&", TradeNo: "T1", Ref: "R1",
			Ours: ten, Theirs: five, Reason: "agreed on the phone", By: "li", Signature: signed.Signature,
		},
		"reconciliation.asked.v1.minimal":     domain.ReconciliationAsked{Proposal: id, Discrepancy: ledgerID, Kind: domain.UnclassifiedMovement, Line: domain.LineOther, Reason: "x", By: "li"},
		"reconciliation.differed.v1.aside":    domain.ReconciliationDiffered{Discrepancy: ledgerID, Kind: domain.OnlyOurs, Resolved: true, Line: domain.LinePayment, TradeNo: "T1", Ours: ten, How: "seen the receipt", By: "wang", AskedBy: "li", Proposal: id, Signature: signed.Signature},
		"reconciliation.differed.v1.repaired": domain.ReconciliationDiffered{Discrepancy: ledgerID, Kind: domain.StatusMismatch, Resolved: true, Line: domain.LinePayment, TradeNo: "T1", Ours: ten, How: "corrected by " + id.String(), By: "wang", AskedBy: "li", Correction: id},
		"person.acted.v1.full": domain.PersonActed{
			Act: id, What: domain.ActExport, Person: "李 <li>&", Key: "0a1b2c3d4e5f", From: "api", Why: "the auditor asked",
			Subject: "journal 2026-03", Detail: map[string]string{"format": "hledger", "rows": "12"},
		},
		"person.acted.v1.minimal": domain.PersonActed{Act: id, What: domain.ActLogin, Person: "li", From: "cli"},
	}
	tolerant := minimalChannel()
	tolerant.Tolerance = &domain.Tolerance{FeeRate: "0.006", FeeWithin: "0.01", Cut: 1800, Apart: 60, WaitDays: 1, MaxItems: 5000, MaxPercent: 20}
	all["channel.configured.v1.tolerant"] = tolerant
	bounded := minimalChannel()
	bounded.Tolerance = &domain.Tolerance{FeeWithin: "0.01", Cut: 1800, WaitDays: 1, MaxItems: 5000, MaxPercent: 20, MaxProposals: 20, MaxProposalPercent: 5}
	all["channel.configured.v1.bounded"] = bounded
	maps.Copy(all, policyFixtures(id))
	maps.Copy(all, keyFixtures())
	maps.Copy(all, eraseFixtures(id))
	return all
}

func policyFixtures(id domain.ID) map[string]domain.Fact {
	return map[string]domain.Fact{
		"config.proposed.v1.full":    domain.ConfigProposed{Channel: "epay-main", Proposal: id, Base: 3, Hash: "9f86", Loosens: []string{"confirm: never, was always"}, Differences: []string{"gateway: b, was a"}, By: "process:api"},
		"config.proposed.v1.minimal": domain.ConfigProposed{Channel: "a", Proposal: id, Hash: "9f86", By: "process:api"},
		"config.approved.v1.full":    domain.ConfigApproved{Proposal: id, By: "wang", Reason: "agreed at the desk"},
		"config.approved.v1.minimal": domain.ConfigApproved{Proposal: id, By: "wang"},
		"config.rejected.v1.full":    domain.ConfigRejected{Proposal: id, By: "wang", Reason: "not now"},
		"config.rejected.v1.minimal": domain.ConfigRejected{Proposal: id, By: "wang"},
		"config.applied.v1.full":     domain.ConfigApplied{Channel: "epay-main", Revision: 4, Hash: "9f86", Differences: []string{"confirm: never, was always"}, By: "process:api", Proposal: id, ApprovedBy: []string{"li", "wang"}},
		"config.applied.v1.minimal":  domain.ConfigApplied{Channel: "a", Revision: 1, Hash: "9f86", By: "process:api"},
	}
}

func keyFixtures() map[string]domain.Fact {
	return map[string]domain.Fact{
		"key.proposed.v1.full":    domain.KeyProposed{Fingerprint: "sha256:0a1b", Person: "li", Public: bytes.Repeat([]byte{0xfb}, 32), Obtained: "api key 0a1b2c3d4e5f", Proof: bytes.Repeat([]byte{0xfc}, 64), SignedAt: noon},
		"key.proposed.v1.minimal": domain.KeyProposed{Fingerprint: "sha256:0a1b", Person: "li"},
		"key.added.v1.full":       domain.KeyAdded{Fingerprint: "sha256:0a1b", Person: "li", By: "wang", Reason: "read to me on the phone"},
		"key.added.v1.minimal":    domain.KeyAdded{Fingerprint: "sha256:0a1b", Person: "li", By: "wang"},
		"key.retired.v1.full":     domain.KeyRetired{Fingerprint: "sha256:0a1b", Person: "li", By: "wang", Reason: "laptop lost"},
		"key.retired.v1.minimal":  domain.KeyRetired{Fingerprint: "sha256:0a1b", Person: "li", By: "li"},
	}
}

func eraseFixtures(id domain.ID) map[string]domain.Fact {
	return map[string]domain.Fact{
		"evidence.erased.v1.full": domain.EvidenceErased{
			Generation: 1, Through: 7, RetainedUntil: noon, By: "li", Reason: "request 12",
			Parts: []domain.ErasedPart{
				{Revision: 2, Event: id, Sealed: "ab12", SHA256: "9f86", Grade: domain.GradeB, Verdict: domain.PartUnverifiable, Why: "the channel has another key now"},
				{Revision: 0, Event: ledgerID, Sealed: "cd34", Verdict: domain.PartPersonal},
			},
		},
		"evidence.erased.v1.minimal": domain.EvidenceErased{RetainedUntil: noon, By: "li", Reason: "x"},
	}
}
