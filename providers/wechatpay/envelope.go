package wechatpay

import (
	"strings"

	"counterfoil/domain"
	"counterfoil/internal/strictjson"
	"counterfoil/providers"
)

// The members of v3 messages that are read (callback and order query of v3).
const (
	fieldOutTradeNo    = "out_trade_no"
	fieldTransactionID = "transaction_id"
	fieldTradeState    = "trade_state"
	fieldMchID         = "mchid"
	fieldAppID         = "appid"
	fieldSpMchID       = "sp_mchid"
	fieldSpAppID       = "sp_appid"
	fieldSubMchID      = "sub_mchid"
	fieldSubAppID      = "sub_appid"
	fieldAttach        = "attach"
	fieldAmount        = "amount"
	fieldSuccessTime   = "success_time"
	fieldRefundID      = "refund_id"
	fieldOutRefundNo   = "out_refund_no"
)

var jsonLimits = strictjson.Limits{MaxBytes: maxAnswer, MaxDepth: 16}

// envelope is a v3 callback before its resource is opened.
type envelope struct {
	id         string
	event      string
	algorithm  string
	nonce      string
	associated string
	ciphertext string
}

// readEnvelope reads a callback's body. associated_data may be absent.
func readEnvelope(body []byte) (envelope, error) {
	m, err := jsonLimits.Object(body)
	if err != nil {
		return envelope{}, domain.E(domain.KindInvalid, "body is no strict JSON: %w", err)
	}
	e := envelope{}
	e.id, _ = m.String("id")
	e.event, _ = m.String("event_type")
	resource, err := m.Value("resource").Object()
	if err != nil || e.event == "" {
		return envelope{}, domain.E(domain.KindInvalid, "body has no event_type or no resource")
	}
	e.algorithm, _ = resource.String("algorithm")
	e.nonce, _ = resource.String("nonce")
	e.associated, _ = resource.String("associated_data")
	e.ciphertext, _ = resource.String("ciphertext")
	if e.algorithm != ResourceAlgorithm {
		return envelope{}, domain.E(domain.KindInvalid, "resource is encrypted by %.40q", e.algorithm)
	}
	return e, nil
}

func (c *Channel) openEnvelope(e envelope) (strictjson.Members, error) {
	if len(c.v3.aeads) == 0 {
		return nil, domain.E(domain.KindDenied, "the signature holds; what was signed is encrypted, and there is no APIv3 key here")
	}
	plain, err := c.v3.open(e.nonce, e.associated, e.ciphertext)
	if err != nil {
		return nil, err
	}
	m, err := jsonLimits.Object(plain)
	if err != nil {
		return nil, domain.E(domain.KindInvalid, "resource is no strict JSON: %w", err)
	}
	return m, nil
}

// readV3 verifies first and decrypts then: whoever has the APIv3 key could have
// encrypted, only WeChat could have signed.
func (c *Channel) readV3(r providers.Request) (said, domain.Reason, error) {
	key, unknown, err := c.v3.proven(r.Header, r.Body, r.ReceivedAt)
	if err != nil {
		if probes(r.Header) {
			return said{}, domain.ReasonProbe, err
		}
		c.missKey(unknown)
		return said{}, domain.ReasonWrongSignature, err
	}
	e, err := readEnvelope(r.Body)
	if err != nil {
		return said{}, domain.ReasonUnreadable, err
	}
	plain, err := c.openEnvelope(e)
	if err != nil {
		return said{}, domain.ReasonUnreadable, err
	}
	notice, reason, err := c.eventNotice(e, plain)
	if err != nil {
		return said{}, reason, err
	}
	return saidV3(key, notice), domain.ReasonNone, nil
}

func saidV3(key *platformKey, n domain.Notice) said {
	return said{notices: andTakenBack(n), scheme: SchemeV3, key: key.mark, grade: domain.GradeA}
}

// eventNotice reads an opened resource by what the envelope calls it. Events of
// products that are not ours are kept, too: no money is read from them.
func (c *Channel) eventNotice(e envelope, m strictjson.Members) (domain.Notice, domain.Reason, error) {
	refund := strings.HasPrefix(e.event, "REFUND.")
	known := refund || strings.HasPrefix(e.event, "TRANSACTION.")
	if err := c.ours(m, known && !refund); err != nil {
		return domain.Notice{}, domain.ReasonForeignMerchant, err
	}
	var n domain.Notice
	var err error
	switch {
	case refund:
		n, err = c.refund(m, "refund_status")
	case known:
		n, err = c.transaction(m)
	default:
		n = c.otherEvent(e, m)
	}
	if err != nil {
		return domain.Notice{}, domain.ReasonUnreadable, err
	}
	return n, domain.ReasonNone, nil
}

func (c *Channel) otherEvent(e envelope, m strictjson.Members) domain.Notice {
	n := domain.Notice{Channel: c.cfg.Channel, Status: domain.StatusOther, ProviderStatus: e.event}
	n.OrderNo, _ = m.String(fieldOutTradeNo)
	n.TradeNo, _ = m.String(fieldTransactionID)
	return n
}

// ours refuses messages for another merchant under the same platform key. A
// refund names no appid; a message of another product may name nobody.
func (c *Channel) ours(m strictjson.Members, payment bool) error {
	mch, app := fieldMchID, fieldAppID
	if c.cfg.SubMchID != "" {
		mch, app = fieldSpMchID, fieldSpAppID
	}
	names := merchantNames{payment: payment}
	names.mchID, _ = m.String(mch)
	names.appID, _ = m.String(app)
	names.subMchID, _ = m.String(fieldSubMchID)
	names.subAppID, _ = m.String(fieldSubAppID)
	return c.cfg.recognise(names)
}
