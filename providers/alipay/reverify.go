package alipay

import (
	"counterfoil/domain"
	"counterfoil/internal/strictjson"
	"counterfoil/providers"
)

// Reverify checks kept evidence again, from its bytes. The notices have the
// content of those that were kept with it; delivery id, receipt time and run
// belong to the delivery and are left out (providers.SameContent compares the
// rest). KindNotFound: it was verified by a key that this channel does not
// have, so nothing can be said; KindForged: it does not hold, or claims a better
// grade than it has; KindInvalid: no such evidence can be of this channel.
func (c *Channel) Reverify(e domain.Evidence) ([]domain.Notice, error) {
	if e.Key != "" && !c.hasKey(e.Key) {
		return nil, domain.E(domain.KindNotFound, "evidence was verified by the key %s, which the channel does not have", e.Key)
	}
	s, err := c.again(e)
	if err != nil {
		return nil, err
	}
	if e.Scheme != SchemeRSA2 || e.Grade != domain.GradeA || s.key != e.Key {
		return nil, domain.E(domain.KindForged, "evidence claims %s, key %q, grade %s, but has %s, key %q, grade %s",
			e.Scheme, e.Key, e.Grade, SchemeRSA2, s.key, domain.GradeA)
	}
	return s.notices, nil
}

func (c *Channel) again(e domain.Evidence) (said, error) {
	switch e.Kind {
	case kindCallback:
		s, _, err := c.verified(messageOf(providers.RequestOf(e, domain.ID{})))
		return s, err
	case kindQuery:
		s, err := c.readAnswer(response{status: e.Status, body: e.Body}, questionOf(e.Body), asked{})
		if err != nil { // as kept bytes they are not late, but wrong
			return said{}, domain.E(domain.KindForged, "kept answer does not hold: %w", err)
		}
		return s, nil
	}
	return said{}, domain.E(domain.KindInvalid, "evidence of the kind %q is none of Alipay's", e.Kind)
}

// questionOf is the question that an answer answers: its member's name says it.
func questionOf(body []byte) string {
	outer, err := strictjson.Limits{MaxBytes: maxAnswer, MaxDepth: 16}.Object(body)
	if err == nil && outer.Has(answerName(methodRefundQuery)) {
		return methodRefundQuery
	}
	return methodQuery
}
