package wechatpay

import (
	"net/http"
	"strings"
	"testing"

	"counterfoil/domain"
	"counterfoil/providers"
)

// answerV2 is a signed v2 answer of these fields behind the usual ones.
func answerV2(fields ...Field) string {
	f := Fields{
		{"return_code", "SUCCESS"},
		{"return_msg", "OK"},
		{"appid", "wx2421b1c4370ec43b"},
		{"mch_id", "10000100"},
		{"nonce_str", "abc"},
		{"result_code", "SUCCESS"},
	}
	for _, change := range fields {
		f = f.with(change)
	}
	return string(signedV2(f, apiKey, SignMD5))
}

func orderV2(changes ...Field) string {
	return answerV2(append([]Field{
		{"out_trade_no", "1409811653"},
		{"transaction_id", "1004400740201409030005092168"},
		{"trade_state", "SUCCESS"},
		{"total_fee", "100"},
		{"fee_type", "CNY"},
		{"time_end", "20260214100005"},
		{"attach", "user:7"},
	}, changes...)...)
}

func questionV2() providers.Question {
	q := question()
	q.OrderNo = "1409811653"
	return q
}

func TestQueryV2(t *testing.T) {
	t.Parallel()
	g := newGateway(t)
	c := g.channel(t, configV2())
	g.prepare(orderQueryV2, reply{body: orderV2(), unsigned: true})
	got, err := c.Query(t.Context(), questionV2())
	if err != nil || !got.Found {
		t.Fatalf("%+v, %v", got, err)
	}
	n := got.Notice
	if n.Source != domain.SourceQuery || n.Status != domain.StatusPaid || n.Amount != domain.NewMoney(100, domain.CNY) || n.Account != "user:7" ||
		n.TradeNo != "1004400740201409030005092168" || !n.OccurredAt.Equal(paid().OccurredAt) || len(n.Doubts) != 0 {
		t.Errorf("notice %+v", n)
	}
	if e := got.Evidence; e.Grade != domain.GradeB || e.Scheme != SchemeMD5 || e.Key != c.v2.mark || e.Target != orderQueryV2 {
		t.Errorf("evidence %+v", e)
	}
	if again, err := c.Reverify(got.Evidence); err != nil || len(again) != 1 || !providers.SameContent(again[0], n) {
		t.Errorf("Reverify = %+v, %v", again, err)
	}
	_, body := g.last(t)
	asked, err := ScanXML([]byte(body), "xml")
	if err != nil || !verifyFields(asked, apiKey, SignMD5) || asked.Value("out_trade_no") != "1409811653" || strings.Contains(body, apiKey) {
		t.Errorf("asked %s, %v", body, err)
	}
	g.prepare(orderQueryV2, reply{body: orderV2(Field{"trade_state", "REFUND"}), unsigned: true})
	if got, err := c.Query(t.Context(), questionV2()); err != nil || len(got.Also) != 1 || got.Also[0].Status != domain.StatusRefunded {
		t.Errorf("a refunded order: %+v, %v", got, err)
	}
	g.prepare(orderQueryV2, reply{body: answerV2(Field{"result_code", "FAIL"}, Field{"err_code", "ORDERNOTEXIST"}), unsigned: true})
	if got, err := c.Query(t.Context(), questionV2()); err != nil || got.Found {
		t.Errorf("an unknown order: %+v, %v", got, err)
	}
}

func TestQueryV2WithoutAUsableAnswer(t *testing.T) {
	t.Parallel()
	g := newGateway(t)
	c := g.channel(t, configV2())
	for name, a := range map[string]reply{
		"unsigned":         {body: strings.Replace(orderV2(), "<sign>", "<no_sign>", 1)},
		"another key":      {body: string(signedV2(Fields{{"return_code", "SUCCESS"}, {"result_code", "SUCCESS"}}, apiKey+"0", SignMD5))},
		"hmac":             {body: string(signedV2(Fields{{"return_code", "SUCCESS"}, {"sign_type", SignHMAC}}, apiKey, SignHMAC))},
		"another order":    {body: orderV2(Field{"out_trade_no", "1409811654"})},
		"another app":      {body: orderV2(Field{"appid", "wx0"})},
		"no state":         {body: orderV2(Field{"trade_state", ""})},
		"no money":         {body: orderV2(Field{"total_fee", ""})},
		"system error":     {body: answerV2(Field{"result_code", "FAIL"}, Field{"err_code", "SYSTEMERROR"})},
		"return_code":      {body: "<xml><return_code><![CDATA[FAIL]]></return_code><return_msg><![CDATA[busy]]></return_msg></xml>"},
		"a web page":       {body: "<html></html>"},
		"status 500":       {status: 500, body: orderV2()},
		"DOCTYPE":          {body: "<!DOCTYPE xml [<!ENTITY a SYSTEM \"file:///etc/passwd\">]>" + orderV2()},
		"billion laughs":   {body: `<!DOCTYPE xml [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]>` + strings.Replace(orderV2(), "<attach>", "<attach>&b;", 1)},
		"encoded":          {body: orderV2(), header: http.Header{"Content-Encoding": {"br"}}},
		"packed":           {body: string(packedText(t, []byte(orderV2())))},
		"too long":         {body: orderV2() + strings.Repeat(" ", maxAnswer)},
		"another merchant": {body: orderV2(Field{"mch_id", "10000101"})},
		"a sub merchant":   {body: orderV2(Field{"sub_mch_id", "1900000200"})},
		"an exponent":      {body: orderV2(Field{"total_fee", "1e2"})},
		"a fraction":       {body: orderV2(Field{"total_fee", "1.00"})},
		"hex":              {body: orderV2(Field{"total_fee", "0x10"})},
		"below zero":       {body: orderV2(Field{"total_fee", "-1"})},
		"Arabic digits":    {body: orderV2(Field{"total_fee", "\u0661\u0662"})},
		"an element more":  {body: strings.Replace(orderV2(), "</xml>", "<total_fee>1</total_fee></xml>", 1)},
	} {
		a.unsigned = true
		g.prepare(orderQueryV2, a)
		if got, err := c.Query(t.Context(), questionV2()); err == nil || domain.KindOf(err) != domain.KindUnavailable {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	g.prepare(orderQueryV2, reply{unsigned: true, body: "<xml><return_code><![CDATA[FAIL]]></return_code><return_msg><![CDATA[签名错误]]></return_msg></xml>"})
	_, err := c.Query(t.Context(), questionV2())
	wantKind(t, err, domain.KindDenied)
}

func TestRefundQueryV2(t *testing.T) {
	t.Parallel()
	g := newGateway(t)
	c := g.channel(t, configV2())
	row := []Field{
		{"out_trade_no", "1409811653"},
		{"transaction_id", "1004400740201409030005092168"},
		{"total_fee", "100"},
		{"refund_count", "1"},
		{"refund_id_0", "50000408942018111907145868882"},
		{"out_refund_no_0", "R1409811653"},
		{"refund_fee_0", "40"},
		{"refund_status_0", "SUCCESS"},
		{"refund_success_time_0", "2026-02-14 11:00:00"},
	}
	q := questionV2()
	q.RefundID, q.RefundNo = "50000408942018111907145868882", "R1409811653"
	g.prepare(refundQueryV2, reply{body: answerV2(row...), unsigned: true})
	got, err := c.Query(t.Context(), q)
	n := got.Notice
	if err != nil || n.About != domain.AboutRefund || n.Status != domain.StatusSucceeded || n.Amount.Minor() != 40 ||
		n.RefundID != q.RefundID || n.RefundNo != q.RefundNo || len(n.Doubts) != 0 || !n.OccurredAt.Equal(refunded().OccurredAt) {
		t.Fatalf("%+v, %v", n, err)
	}
	if again, err := c.Reverify(got.Evidence); err != nil || len(again) != 1 || again[0].RefundID != q.RefundID {
		t.Errorf("Reverify = %+v, %v", again, err)
	}
	if _, body := g.last(t); !strings.Contains(body, "<refund_id>") {
		t.Errorf("asked %s", body)
	}
	g.prepare(refundQueryV2, reply{body: answerV2(append(row, Field{"refund_count", "2"})...), unsigned: true})
	_, err = c.Query(t.Context(), q)
	wantKind(t, err, domain.KindUnavailable)
	g.prepare(refundQueryV2, reply{body: answerV2(Field{"result_code", "FAIL"}, Field{"err_code", "REFUNDNOTEXIST"}), unsigned: true})
	if got, err := c.Query(t.Context(), q); err != nil || got.Found {
		t.Errorf("unknown refund: %+v, %v", got, err)
	}
}

func TestCloseOrderV2(t *testing.T) {
	t.Parallel()
	g := newGateway(t)
	c := g.channel(t, configV2())
	g.prepare("/pay/closeorder", reply{body: answerV2(), unsigned: true})
	if err := c.CloseOrder(t.Context(), "1409811653"); err != nil {
		t.Error(err)
	}
	for code, kind := range map[string]domain.Kind{
		"ORDERPAID": domain.KindConflict, "ORDERNOTEXIST": domain.KindNotFound, "SYSTEMERROR": domain.KindUnavailable,
	} {
		g.prepare("/pay/closeorder", reply{body: answerV2(Field{"result_code", "FAIL"}, Field{"err_code", code}), unsigned: true})
		wantKind(t, c.CloseOrder(t.Context(), "1409811653"), kind)
	}
}
