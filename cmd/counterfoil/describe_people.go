package main

import (
	"strconv"
	"strings"

	"counterfoil/domain"
)

// describePeople puts a fact about people into a line.
func describePeople(f domain.PeopleFact) string {
	switch f := f.(type) {
	case domain.PersonActed:
		return words(f.Person, string(f.What), f.Subject, "from", f.From, f.Key, f.Why)
	case domain.ConfigProposed:
		return words(f.By, "asks for", strings.Join(f.Loosens, "; "), "("+f.Proposal.String()+")")
	case domain.ConfigApproved:
		return words(f.By, "approves settings", f.Proposal.String(), f.Reason)
	case domain.ConfigRejected:
		return words(f.By, "rejects settings", f.Proposal.String()+":", f.Reason)
	case domain.ConfigApplied:
		return words("revision", strconv.FormatUint(f.Revision, 10), "by", f.By+":", strings.Join(f.Differences, "; "),
			strings.Join(f.ApprovedBy, " and "))
	case domain.KeyProposed:
		return words(f.Person, "wants to sign with", f.Fingerprint, "from", f.Obtained)
	case domain.KeyAdded:
		return words(f.By, "confirms", f.Person+"'s key", f.Fingerprint, f.Reason)
	case domain.KeyRetired:
		return words(f.By, "retires", f.Person+"'s key", f.Fingerprint+":", f.Reason)
	case domain.EvidenceErased:
		return words(f.By, "erased", strconv.Itoa(len(f.Parts)), "sealed parts up to revision", strconv.FormatUint(f.Through, 10)+":", f.Reason)
	}
	return ""
}
