package epay

import (
	"net/url"
	"strings"

	"counterfoil/domain"
	"counterfoil/providers"
)

// Reverify checks kept evidence again, from its bytes. The notices have the
// content of those that were kept with it; delivery id, receipt time and run
// belong to the delivery and are left out (providers.SameContent compares the
// rest). KindNotFound: it was verified by a key that this channel does not
// have, so nothing can be said; KindForged: it does not hold, or claims a better
// grade than it has; KindInvalid: no such evidence can be of this channel.
func (c *Channel) Reverify(e domain.Evidence) ([]domain.Notice, error) {
	if e.Key != "" && e.Key != c.scheme.mark() {
		return nil, domain.E(domain.KindNotFound, "evidence was verified by the key %s, the channel has %s", e.Key, c.scheme.mark())
	}
	v, err := c.again(e)
	if err != nil {
		return nil, err
	}
	if v.scheme != e.Scheme || v.key != e.Key || v.grade != e.Grade {
		return nil, domain.E(domain.KindForged, "evidence claims %s, key %q, grade %s, but has %s, key %q, grade %s",
			e.Scheme, e.Key, e.Grade, v.scheme, v.key, v.grade)
	}
	if !v.found {
		return nil, nil
	}
	return append([]domain.Notice{v.notice}, v.also...), nil
}

func (c *Channel) again(e domain.Evidence) (verdict, error) {
	switch e.Kind {
	case kindCallback:
		notice, _, err := c.verified(messageOf(providers.RequestOf(e, domain.ID{})))
		return verdict{found: true, notice: notice, scheme: c.scheme.name(), key: c.scheme.mark(), grade: c.scheme.grade()}, err
	case kindQuery:
		v, err := c.readAnswer(response{status: e.Status, body: e.Body}, c.askedIn(e.Target))
		if err != nil { // as kept bytes they are not late, but wrong
			return verdict{}, domain.E(domain.KindForged, "kept answer does not hold: %w", err)
		}
		if v.grade == domain.GradeC && (e.Scheme == SchemeHTTPS || e.Scheme == SchemeHTTP) {
			v.scheme = e.Scheme // by which way it came is not in the bytes
		}
		return v, nil
	}
	return verdict{}, domain.E(domain.KindInvalid, "evidence of the kind %q is none of Epay's", e.Kind)
}

// askedIn is the order that the target of a V1 question names. V2 puts it into
// the body, which is not kept.
func (c *Channel) askedIn(target string) asked {
	_, query, _ := strings.Cut(target, "?")
	fields, err := url.ParseQuery(query)
	if err != nil {
		return asked{}
	}
	return asked{orderNo: fields.Get(fieldOrderNo), tradeNo: fields.Get(fieldTradeNo)}
}
