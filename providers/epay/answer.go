package epay

import (
	"net/http"
	"strings"
	"time"

	"counterfoil/domain"
	"counterfoil/internal/strictjson"
	"counterfoil/providers"
)

// Codes of an answer (Rainbow Epay, order query). Success is 1 in V1 and 0 in
// V2.
const (
	codeSuccessV1 = "1"
	codeSuccessV2 = "0"
	codeNotFound  = "-1"
	codeDenied    = "-3" // V1: pid or key; V2: our signature
	codeNoNumber  = "-4"
	codeNoMethod  = "-5" // V2
)

// verdict is what an answer says and how well it is proven.
type verdict struct {
	found  bool
	notice domain.Notice   // of the message only; nothing of the delivery
	also   []domain.Notice // what was refunded of it
	scheme string
	key    string
	grade  domain.Grade
}

// readAnswer reads an answer. The bytes decide, not the content type: PHP says
// text/html of everything by default. A gateway's "not found" is believed
// unsigned (V2 signs no failures), since it proves nothing anyway.
func (c *Channel) readAnswer(r response, about asked) (verdict, error) {
	members, code, err := c.decode(r)
	if err != nil {
		return verdict{}, err
	}
	success := codeSuccessV1
	if c.cfg.Version == V2 {
		success = codeSuccessV2
	}
	if code == codeNotFound && (r.status == http.StatusOK || r.status == http.StatusNotFound) {
		return c.unsigned(), nil
	}
	if r.status != http.StatusOK {
		return verdict{}, c.unusable("answered with status %d", r.status)
	}
	if code != success {
		return verdict{}, c.failure(code, members)
	}
	return c.readFound(members, about)
}

// unsigned is a verdict about bytes that only TLS, if that, protected.
func (c *Channel) unsigned() verdict {
	v := verdict{scheme: SchemeHTTPS, grade: domain.GradeC}
	if strings.HasPrefix(c.cfg.Gateway, "http:") {
		v.scheme = SchemeHTTP
	}
	return v
}

func (c *Channel) decode(r response) (members strictjson.Members, code string, err error) {
	members, err = strictjson.Limits{MaxBytes: maxAnswer, MaxDepth: 8}.Object(r.body)
	if err != nil {
		if r.status != http.StatusOK {
			return nil, "", c.unusable("answered with status %d", r.status)
		}
		if strings.HasPrefix(strings.TrimSpace(string(r.body)), "<") {
			return nil, "", c.unusable("answered with a web page")
		}
		return nil, "", c.unusable("answered with something else than JSON: %w", err)
	}
	code, ok := members.Text(fieldCode)
	if !ok {
		return nil, "", c.unusable("answered without a code")
	}
	return members, code, nil
}

// failure is an error for a code that is neither success nor "not found".
func (c *Channel) failure(code string, members strictjson.Members) error {
	msg, _ := members.String(fieldMsg)
	kind, meaning := domain.KindUnavailable, "answered with code"
	switch code {
	case codeDenied:
		kind, meaning = domain.KindDenied, "refuses our pid or key, code"
	case codeNoNumber:
		kind, meaning = domain.KindInvalid, "misses the order's number, code"
	case codeNoMethod:
		kind, meaning = domain.KindInvalid, "knows no order query, code"
	}
	return domain.E(kind, "gateway %s %s %s: %s", c.cfg.Gateway, meaning, c.quoted(code), c.quoted(msg))
}

// readFound reads the row of an order.
func (c *Channel) readFound(members strictjson.Members, about asked) (verdict, error) {
	v := c.unsigned()
	if c.cfg.Version == V2 {
		if !c.provenAnswer(members) {
			return verdict{}, c.unusable("answered with a signature that does not hold")
		}
		v.scheme, v.key, v.grade = c.scheme.name(), c.scheme.mark(), c.scheme.grade()
	}
	if pid, _ := members.Text(fieldPID); pid != c.cfg.PID {
		return verdict{}, c.unusable("answered for another pid")
	}
	orderNo, _ := members.Text(fieldOrderNo)
	tradeNo, _ := members.Text(fieldTradeNo)
	if orderNo == "" || (about.orderNo != "" && orderNo != about.orderNo) || (about.tradeNo != "" && tradeNo != about.tradeNo) {
		return verdict{}, c.unusable("%w", providers.ErrOther)
	}
	notice, err := c.answerNotice(members)
	if err != nil {
		return verdict{}, err
	}
	notice.OrderNo, notice.TradeNo = orderNo, tradeNo
	if tradeNo == "" && notice.Status != domain.StatusWaiting {
		notice.Doubts = []domain.Doubt{domain.DoubtNoTradeNo}
	}
	v.found = true
	v.notice, v.also, err = c.takenBack(members, notice)
	return v, err
}

// takenBack splits an order that was refunded into its payment and all that was
// given back so far: V2 tells that sum in refundmoney (Rainbow Epay, order query
// of V2), under its signature. V1 tells no sum, so how much went back is unknown
// and never assumed to be all.
func (c *Channel) takenBack(members strictjson.Members, n domain.Notice) (domain.Notice, []domain.Notice, error) {
	text, told := members.Text(fieldRefundMoney)
	if c.cfg.Version != V2 || n.Status != domain.StatusRefunded || !told || text == "" {
		return n, nil, nil
	}
	sum, err := domain.ParseMoney(text, c.cfg.Currency)
	if err != nil {
		return n, nil, c.unusable("answered with a refund that cannot be read: %w", err)
	}
	if !sum.IsPositive() || sum.Minor() > n.Amount.Minor() {
		return n, nil, c.unusable("answered that %s were refunded of %s", sum, n.Amount)
	}
	back := n
	back.About, back.Status, back.Amount, back.Total = domain.AboutRefund, domain.StatusSucceeded, sum, true
	back.Index, back.OccurredAt = 1, time.Time{} // when is not told
	n.Status = domain.StatusPaid
	return n, []domain.Notice{back}, nil
}

// answerNotice reads what happened to the order. Numbers may be JSON numbers
// or strings, depending on the gateway's PHP; both are taken by their digits.
func (c *Channel) answerNotice(members strictjson.Members) (domain.Notice, error) {
	word, ok := members.Text(fieldStatus)
	if !ok || word == "" {
		return domain.Notice{}, c.unusable("answered without a status")
	}
	money, _ := members.Text(fieldMoney)
	amount, err := domain.ParseMoney(money, c.cfg.Currency)
	if err != nil {
		return domain.Notice{}, c.unusable("answered with money that cannot be read: %w", err)
	}
	status := queryStatus(word)
	if status == domain.StatusPaid && !amount.IsPositive() {
		return domain.Notice{}, c.unusable("answered that nothing was paid")
	}
	endTime, _ := members.String(fieldEndTime)
	return domain.Notice{
		Source:         domain.SourceQuery,
		Channel:        c.cfg.Channel,
		Amount:         amount,
		Status:         status,
		ProviderStatus: word,
		OccurredAt:     c.gatewayTime(endTime),
	}, nil
}

// queryStatus is what a status means (Rainbow Epay, order query). 4 is a
// pre-authorisation: no money has moved.
func queryStatus(word string) domain.Status {
	switch word {
	case "0", "4":
		return domain.StatusWaiting
	case "1":
		return domain.StatusPaid
	case "2":
		return domain.StatusRefunded
	case "3":
		return domain.StatusFrozen
	}
	return domain.StatusOther
}

// provenAnswer verifies the signature, which covers the scalars of the
// outermost object, rendered as text. Arrays and objects are outside of it;
// nothing is read from them.
func (c *Channel) provenAnswer(members strictjson.Members) bool {
	fields := make(Params, 0, len(members))
	for _, m := range members {
		if text, ok := scalar(m.Value); ok {
			fields = append(fields, Param{m.Name, text})
		}
	}
	sign := fields.Value(fieldSign)
	if t := fields.Value(fieldSignType); t != "" && t != c.scheme.signType() {
		return false
	}
	if c.scheme.verify(appendText(nil, providers.SortFields(fields)), sign) {
		return true
	}
	// Rainbow leaves values of only blanks out of the text. Nothing is read
	// from them: neither a number, a status nor money can be blank.
	return c.scheme.verify(appendText(nil, withoutBlanks(fields)), sign)
}

// scalar is a value as PHP writes it into text: true is 1, false and null are
// nothing.
func scalar(v strictjson.Value) (string, bool) {
	if yes, ok := v.Bool(); ok {
		if yes {
			return "1", true
		}
		return "", true
	}
	if v.IsNull() {
		return "", true
	}
	return v.Text()
}
