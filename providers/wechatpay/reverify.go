package wechatpay

import (
	"net/http"
	"slices"
	"strings"

	"counterfoil/domain"
	"counterfoil/providers"
)

// Reverify checks kept evidence again, from its bytes, by the keys that counted
// when it came. The notices have the content of those that were kept with it;
// delivery id, receipt time and run belong to the delivery and are left out
// (providers.SameContent compares the rest). KindNotFound: it was verified by a
// key that this channel does not have, so nothing can be said; KindForged: it
// does not hold, or claims a better grade than it has; KindInvalid: no such
// evidence can be of this channel.
func (c *Channel) Reverify(e domain.Evidence) ([]domain.Notice, error) {
	if e.Key != "" && !c.hasKey(e.Key) {
		return nil, domain.E(domain.KindNotFound, "evidence was verified by the key %s, which the channel does not have", e.Key)
	}
	s, err := c.again(e)
	if err != nil {
		return nil, err
	}
	if s.scheme != e.Scheme || s.key != e.Key || s.grade != e.Grade {
		return nil, domain.E(domain.KindForged, "evidence claims %s, key %q, grade %s, but has %s, key %q, grade %s",
			e.Scheme, e.Key, e.Grade, s.scheme, s.key, s.grade)
	}
	return s.notices, nil
}

func (c *Channel) hasKey(mark string) bool {
	if c.v2 != nil && c.v2.mark == mark {
		return true
	}
	return c.v3 != nil && slices.ContainsFunc(c.v3.platform.all(), func(k *platformKey) bool { return k.mark == mark })
}

func (c *Channel) again(e domain.Evidence) (said, error) {
	switch e.Kind {
	case kindCallback:
		s, _, err := c.verified(providers.RequestOf(e, domain.ID{}))
		for i := range s.notices {
			s.notices[i].Index, s.notices[i].Source = i, domain.SourceCallback
		}
		return s, err
	case kindQuery:
		v, err := c.answerAgain(e)
		if err != nil { // as kept bytes they are not late, but wrong
			return said{}, domain.E(domain.KindForged, "kept answer does not hold: %w", err)
		}
		for i := range v.notices {
			v.notices[i].Index, v.notices[i].Source = i, domain.SourceQuery
		}
		return v.said, nil
	}
	return said{}, domain.E(domain.KindInvalid, "evidence of the kind %q is none of WeChat Pay's", e.Kind)
}

// answerAgain reads a kept answer to the question that its target shows; v2
// puts the number into the body, which is not kept.
func (c *Channel) answerAgain(e domain.Evidence) (verdict, error) {
	r := response{status: e.Status, header: make(http.Header), body: e.Body}
	for _, line := range e.Headers {
		r.header.Add(line.Name, line.Value)
	}
	if c.v3 != nil {
		about, ok := askedIn(e.Target)
		if !ok || e.Method != http.MethodGet {
			return verdict{}, domain.E(domain.KindInvalid, "no question has this target")
		}
		return c.readAnswer(r, about, e.At)
	}
	if strings.HasSuffix(e.Target, refundQueryV2) {
		return c.readAnswerV2(r, asked{refundNo: anyRefund(e.Body)})
	}
	return c.readAnswerV2(r, asked{})
}

// anyRefund is the number of the one refund that a v2 answer is about.
func anyRefund(body []byte) string {
	f, err := ScanXML(body, "xml")
	if err != nil || f.Value(fieldOutRefundNo+"_0") == "" {
		return "-"
	}
	return f.Value(fieldOutRefundNo + "_0")
}
