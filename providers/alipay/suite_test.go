package alipay

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha1"
	"encoding/base64"
	"iter"
	"maps"
	"slices"
	"testing"

	"counterfoil/domain"
	"counterfoil/providers"
	"counterfoil/providers/providertest"
)

// replies is the protocol's answer for every outcome.
func replies() map[domain.Outcome]domain.Reply {
	table := map[domain.Outcome]domain.Reply{
		domain.OutcomeRefused: {Status: 400, ContentType: "text/plain", Body: "fail"},
		domain.OutcomeFailed:  {Status: 503, ContentType: "text/plain", Body: "fail"},
	}
	for _, o := range []domain.Outcome{
		domain.OutcomeCredited, domain.OutcomeRepeated, domain.OutcomeHeld, domain.OutcomeParked, domain.OutcomeNoted,
	} {
		table[o] = domain.Reply{Status: 200, ContentType: "text/plain", Body: "success"}
	}
	return table
}

// mutants flips every bit of every signed name and value.
func mutants(r providers.Request) iter.Seq[providers.Request] {
	fields, err := scan(string(r.Body), nil)
	if err != nil {
		panic(err)
	}
	return func(yield func(providers.Request) bool) {
		for i, p := range fields {
			if notSignedInNotice(p.Name) {
				continue
			}
			for bit := range (len(p.Name) + len(p.Value)) * 8 {
				mutant := slices.Clone(fields)
				name, value := []byte(p.Name), []byte(p.Value)
				if at := bit / 8; at < len(name) {
					name[at] ^= 1 << (bit % 8)
				} else {
					value[at-len(name)] ^= 1 << (bit % 8)
				}
				mutant[i] = Param{string(name), string(value)}
				r.Body = []byte(Encode(mutant))
				if !yield(r) {
					return
				}
			}
		}
	}
}

// signedSHA1 is p with the old algorithm's signature, rightly made by Alipay's
// key.
func signedSHA1(p Params, word string) Params {
	digest := sha1.Sum([]byte(NoticeText(p)))
	raw, err := rsa.SignPKCS1v15(nil, platformKey(), crypto.SHA1, digest[:])
	if err != nil {
		panic(err)
	}
	return p.With("sign_type", word).With("sign", base64.StdEncoding.EncodeToString(raw))
}

func forged() map[providertest.Forgery][]providers.Request {
	body := Encode(signed(notice()))
	good := signed(notice())
	return map[providertest.Forgery][]providers.Request{
		providertest.OtherMerchant: {
			posted(signed(notice(Param{"app_id", "2021000000000001"}))), posted(signed(notice(Param{"seller_id", "2088102119685839"}))),
			posted(signed(without(notice(), "app_id"))), posted(signed(without(notice(), "seller_id"))),
		},
		providertest.EmptySign: {
			posted(notice()), posted(good.With("sign", "")), posted(good.With("sign", "  ")), posted(good.With("sign", "=")),
			posted(without(good, "sign")),
		},
		providertest.EmptyKeySign: {posted(good.With("sign", base64.StdEncoding.EncodeToString(make([]byte, 256))))},
		providertest.OtherKeySign: {posted(signedBy(otherKey(), notice())), posted(signedBy(merchantKey(), notice()))},
		providertest.OtherAlgorithm: {
			posted(signedSHA1(notice(), "RSA")), posted(signedSHA1(notice(), "RSA2")), posted(good.With("sign_type", "RSA")),
			posted(good.With("sign_type", "MD5")), posted(good.With("sign_type", "rsa2")), posted(without(good, "sign_type")),
		},
		providertest.Duplicates: {
			post(body + "&total_amount=1.00"), post("total_amount=1.00&" + body), post(body + "&total_amount=10.00"),
			post(body + "&app_id=" + testApp), post(body + "&sign=0"), post(body + "&sign_type="),
		},
		providertest.Unreadable: {
			post(""), post(body + "&x=%"), post(body + "&x=%zz"), post(body + "&a[]=1"), post(body + "&=1"), post("{}"), post("\x00"),
			post(body + "&%73ubject=1"),
			posted(signed(notice(Param{"total_amount", "1e2"}))), posted(signed(notice(Param{"total_amount", "0.00"}))),
			posted(signed(notice(Param{"refund_fee", "-1"}))), posted(signed(notice(Param{"out_trade_no", "a\x00b"}))),
			posted(signed(notice(Param{"out_trade_no", "\xff"}))), posted(signed(notice(Param{"charset", "utf-16"}))),
			posted(signed(without(notice(), "trade_status"))), posted(signed(without(notice(), "out_trade_no"))),
		},
	}
}

func genuine() []providertest.Genuine {
	paid := paidNotice()
	finished, closed, doubtful, owned := paid, paid, paid, paid
	finished.ProviderStatus = "TRADE_FINISHED"
	closed.Status, closed.ProviderStatus, closed.OccurredAt = domain.StatusClosed, "TRADE_CLOSED", parseTime("2026-02-14 10:15:00")
	doubtful.Doubts = []domain.Doubt{domain.DoubtAmbiguousText}
	owned.Account = "u:7"
	refund := paid
	refund.About, refund.Index, refund.Status, refund.Amount, refund.Total = domain.AboutRefund, 1, domain.StatusSucceeded, yuan(400), true
	refund.RefundID, refund.RefundNo, refund.OccurredAt = "R1", "R1", parseTime("2026-02-14 11:00:00.123")
	return []providertest.Genuine{
		{Name: "paid", Request: posted(signed(notice())), Notices: []domain.Notice{paid}},
		{Name: "finished", Request: posted(signed(notice(Param{"trade_status", "TRADE_FINISHED"}))), Notices: []domain.Notice{finished}},
		{
			Name: "closed", Notices: []domain.Notice{closed},
			Request: posted(signed(without(notice(Param{"trade_status", "TRADE_CLOSED"}, Param{"gmt_close", "2026-02-14 10:15:00"}), "gmt_payment"))),
		},
		{
			Name: "refunded in part", Notices: []domain.Notice{paid, refund},
			Request: posted(signed(notice(Param{"refund_fee", "4.00"}, Param{"out_biz_no", "R1"}, Param{"gmt_refund", "2026-02-14 11:00:00.123"}))),
		},
		{Name: "doubtful", Request: posted(signed(notice(Param{"subject", "a&b=1"}))), Notices: []domain.Notice{doubtful}},
		{Name: "of an account", Request: posted(signed(notice(Param{"passback_params", "u%3A7"}))), Notices: []domain.Notice{owned}},
	}
}

// returned is a form sent back as a notice.
func returned(form providers.Form) providers.Request {
	var fields Params
	for _, name := range slices.Sorted(maps.Keys(form.Fields)) {
		fields = append(fields, Param{name, form.Fields[name]})
	}
	return posted(fields)
}

func goodOrder() providers.Order {
	return providers.Order{
		OrderNo: "20260214100000001", Amount: yuan(1000), Subject: "测试商品+1", NotifyURL: "https://shop.example.com/callbacks/alipay-main",
		ReturnURL: "https://shop.example.com/thanks?a=1&b=2", At: testNow,
	}
}

func TestSuite(t *testing.T) {
	t.Parallel()
	other := testConfig()
	other.AlipayKeys = []string{publicText(otherKey())}
	providertest.Run(t, providertest.Harness{
		Channel:     newChannel(t, testConfig()),
		Others:      []providers.Channel{newChannel(t, other)},
		Genuine:     genuine(),
		Mutants:     mutants,
		Forged:      forged(),
		Replies:     replies(),
		SuccessWord: "success",
		Secrets:     []string{keyText("merchant"), merchantKey().D.String()},
		Order:       goodOrder(),
		Returned:    returned,
		Amount: func(text string) []providers.Request {
			all := []providers.Request{posted(signed(notice(Param{"total_amount", text})))}
			if text == "0" || text == "0.00" {
				return all // nothing was refunded
			}
			return append(all, posted(signed(notice(Param{"refund_fee", text}))))
		},
	})
}
