package audit

import (
	"counterfoil/domain"
	"counterfoil/ledger"
)

// homeOfPeople is the stream that a fact about people belongs into, as far as it
// tells itself.
func homeOfPeople(e ledger.Entry, f domain.PeopleFact) domain.Stream {
	switch f := f.(type) {
	case domain.PersonActed:
		return domain.ActsStream(e.Meta.RecordedAt)
	case domain.ConfigProposed:
		return domain.PolicyStream(f.Channel)
	case domain.ConfigApplied:
		return domain.PolicyStream(f.Channel)
	case domain.ConfigApproved, domain.ConfigRejected:
		if e.Stream.Category() != "policy" {
			return "policy-…"
		}
	case domain.KeyProposed, domain.KeyAdded, domain.KeyRetired:
		return domain.PeopleStream
	case domain.EvidenceErased:
		if c := e.Stream.Category(); c != "payment" && c != "unmatched" {
			return "payment-…"
		}
	}
	return e.Stream
}
