package stripe

import (
	"slices"

	"counterfoil/domain"
	"counterfoil/providers"
)

// Reverify checks kept evidence again, from its bytes and the time at which
// they arrived. The notices have the content of those that were kept with it;
// delivery id, receipt time and run are left out (providers.SameContent
// compares the rest). KindNotFound: it was verified by a secret that this
// channel does not have, also not among the retired ones; KindForged: it does
// not hold, or claims a better grade than it has; KindInvalid: no such evidence
// can be of this channel.
func (c *Channel) Reverify(e domain.Evidence) ([]domain.Notice, error) {
	switch e.Kind {
	case kindCallback:
		return c.reverifyCallback(e)
	case kindQuery:
		return c.reverifyAnswer(e)
	}
	return nil, domain.E(domain.KindInvalid, "evidence of the kind %q is none of Stripe's", e.Kind)
}

func (c *Channel) reverifyCallback(e domain.Evidence) ([]domain.Notice, error) {
	if e.Scheme != SchemeHMAC || e.Grade != domain.GradeB {
		return nil, domain.E(domain.KindForged, "evidence claims %s, grade %s, but callbacks have %s, grade %s",
			e.Scheme, e.Grade, SchemeHMAC, domain.GradeB)
	}
	known := slices.Concat(c.secrets, c.retired)
	at := slices.IndexFunc(known, func(s secret) bool { return s.mark == e.Key })
	if at < 0 {
		return nil, domain.E(domain.KindNotFound, "evidence was verified by the secret %q, which the channel does not have", e.Key)
	}
	notices, _, _, err := c.verified(providers.RequestOf(e, domain.ID{}), known[at:at+1])
	return notices, err
}

func (c *Channel) reverifyAnswer(e domain.Evidence) ([]domain.Notice, error) {
	if e.Grade != domain.GradeC || e.Key != "" || (e.Scheme != SchemeHTTPS && e.Scheme != SchemeHTTP) {
		return nil, domain.E(domain.KindForged, "evidence claims %s, key %q, grade %s, but answers are unsigned", e.Scheme, e.Key, e.Grade)
	}
	said, err := c.readAnswer(e.Target, e.Status, e.Body)
	if err != nil { // as kept bytes they are not late, but wrong
		return nil, domain.E(domain.KindForged, "kept answer does not hold: %w", err)
	}
	return said, nil
}
