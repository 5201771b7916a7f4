package stripe

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"encoding/json"
	"iter"
	"strings"
	"testing"

	"counterfoil/domain"
	"counterfoil/providers"
	"counterfoil/providers/providertest"
)

func replies() map[domain.Outcome]domain.Reply {
	table := map[domain.Outcome]domain.Reply{
		domain.OutcomeRefused: {Status: 400, ContentType: "text/plain"},
		domain.OutcomeFailed:  {Status: 503, ContentType: "text/plain"},
	}
	for _, o := range domain.Outcomes() {
		if o.Success() {
			table[o] = domain.Reply{Status: 200, ContentType: "text/plain"}
		}
	}
	return table
}

// mutants flips every bit of the signed time and of the body.
func mutants(r providers.Request) iter.Seq[providers.Request] {
	return func(yield func(providers.Request) bool) {
		header := r.Header.Get(SignatureHeader)
		comma := strings.IndexByte(header, ',')
		for bit := range (comma - 2) * 8 {
			changed := []byte(header)
			changed[2+bit/8] ^= 1 << (bit % 8)
			m := r
			m.Header = r.Header.Clone()
			m.Header.Set(SignatureHeader, string(changed))
			if !yield(m) {
				return
			}
		}
		for bit := range len(r.Body) * 8 {
			m := r
			m.Body = append([]byte(nil), r.Body...)
			m.Body[bit/8] ^= 1 << (bit % 8)
			if !yield(m) {
				return
			}
		}
	}
}

// forged makes the forgeries.
func forged() map[providertest.Forgery][]providers.Request {
	good := eventOf("checkout.session.completed", sessionOf())
	sign := func(body, secret string) string { return Sign([]byte(body), secret, testNow) }
	_, hash, _ := strings.Cut(sign(good, sampleSecret), ",v1=")
	long := hmac.New(sha512.New, []byte(sampleSecret))
	long.Write([]byte("1771034406." + good))
	plain := sha256.Sum256([]byte("1771034406." + good + sampleSecret))
	var wrong []providers.Request
	for _, body := range []string{
		"", "null", "[]", `"evt"`, "{", good + "{}", "\xff" + good, strings.Replace(good, `"type"`, `"kind"`, 1),
		strings.Replace(good, `"id":"evt_1"`, `"id":""`, 1), strings.Replace(good, `"livemode":false`, `"livemode":null`, 1),
		strings.Replace(good, `"object":"event"`, `"object":"list"`, 1), strings.Replace(good, `1000`, `1e3`, 1),
		eventOf("checkout.session.completed", "null"), eventOf("refund.created", `{"object":"refund","amount":1,"currency":"cny"}`),
		eventOf("charge.dispute.created", `{"object":"dispute","id":"du_1","amount":1,"currency":"cny"}`),
	} {
		wrong = append(wrong, signed(body))
	}
	return map[providertest.Forgery][]providers.Request{
		providertest.OtherMerchant: {
			signed(strings.Replace(good, `"livemode":false`, `"livemode":true`, 1)),
			signed(strings.Replace(good, `"livemode":false`, `"livemode":false,"account":"acct_1Other"`, 1)),
		},
		providertest.EmptySign: {
			request(good, ""), request(good, "t=1771034406,v1="), request(good, "t=1771034406"), request(good, "v1="+hash),
			request(good, "t=,v1="+hash),
		},
		providertest.EmptyKeySign: {request(good, sign(good, "")), request(good, sign(good, "whsec_"))},
		providertest.OtherKeySign: {request(good, sign(good, otherSecret)), request(good, sign(good, sampleKey))},
		providertest.OtherAlgorithm: {
			request(good, "t=1771034406,v0="+hash), request(good, "t=1771034406,V1="+hash), request(good, "t=1771034406,v2="+hash),
			request(good, "t=1771034406,v1="+hex.EncodeToString(long.Sum(nil))),
			request(good, "t=1771034406,v1="+hex.EncodeToString(plain[:])),
		},
		providertest.Duplicates: {
			signed(strings.Replace(good, `"amount_total":1000`, `"amount_total":1,"amount_total":1000`, 1)),
			signed(strings.Replace(good, `"currency":`, `"Currency":"usd","currency":`, 1)),
			signed(strings.Replace(good, `"livemode":false`, `"livemode":true,"livemode":false`, 1)),
			signed(strings.Replace(good, `"payment_status"`, `"payment\u005fstatus":"unpaid","payment_status"`, 1)),
		},
		providertest.Unreadable: wrong,
	}
}

func genuine() []providertest.Genuine {
	refund := paid()
	refund.About, refund.RefundID, refund.OrderNo = domain.AboutRefund, "re_1", ""
	refund.Status, refund.ProviderStatus, refund.Amount = domain.StatusSucceeded, "succeeded", domain.NewMoney(300, domain.CNY)
	closed := paid()
	closed.Status, closed.ProviderStatus = domain.StatusClosed, "expired"
	doubtful := paid()
	doubtful.OrderNo, doubtful.ProviderStatus, doubtful.Doubts = "", "succeeded", []domain.Doubt{domain.DoubtNoOrderNo}
	return []providertest.Genuine{
		{Name: "vector", Request: request(vectorBody, vectorSignature), Notices: []domain.Notice{paid()}},
		{
			Name: "refund", Notices: []domain.Notice{refund},
			Request: signed(eventOf("refund.created", `{"id":"re_1","object":"refund","amount":300,"currency":"cny","created":1771034406,"payment_intent":"pi_3Test","status":"succeeded"}`)),
		},
		{
			Name: "expired", Notices: []domain.Notice{closed},
			Request: signed(eventOf("checkout.session.expired", sessionOf(`"payment_status":"unpaid"`, `"status":"expired"`))),
		},
		{
			Name: "doubtful", Notices: []domain.Notice{doubtful},
			Request: signed(eventOf("payment_intent.succeeded", `{"id":"pi_3Test","object":"payment_intent","amount":1000,"amount_received":1000,"currency":"cny","status":"succeeded"}`)),
		},
	}
}

func TestSuite(t *testing.T) {
	t.Parallel()
	other, live := config(), config()
	other.Secrets = secrets(otherSecret)
	live.Live, live.APIKey, live.Secrets = true, providers.NewSecret("rk_live_4eC39HqLyjWDarjtT1"), secrets("whsec_live_secret_of_the_shop_33333")
	providertest.Run(t, providertest.Harness{
		Channel: newChannel(t, config()),
		Others:  []providers.Channel{newChannel(t, other), newChannel(t, live)},
		Genuine: genuine(),
		Mutants: mutants,
		Forged:  forged(),
		Replies: replies(),
		Secrets: []string{sampleSecret, sampleKey},
		Order:   goodOrder(),
		Returned: func(f providers.Form) providers.Request {
			return request(encode(f.Fields), "")
		},
		Amount: amounts,
	})
}

// amounts are messages with an amount as a string, and as it stands: of a
// session, an intent, a charge, a refund, and of what a dispute moved.
func amounts(text string) []providers.Request {
	quoted, err := json.Marshal(text)
	if err != nil {
		panic(err)
	}
	values := []string{string(quoted)}
	if strings.TrimSpace(text) == text { // a blank between tokens is JSON's own
		values = append(values, text)
	}
	var all []providers.Request
	for _, v := range values {
		for kind, object := range map[string]string{
			"checkout.session.completed": sessionOf(`"amount_total":` + v),
			"payment_intent.succeeded":   `{"id":"pi_1","object":"payment_intent","amount":5,"amount_received":` + v + `,"currency":"cny","status":"succeeded"}`,
			"charge.succeeded":           `{"id":"ch_1","object":"charge","amount":5,"amount_captured":` + v + `,"captured":true,"currency":"cny","status":"succeeded"}`,
			"refund.created":             `{"id":"re_1","object":"refund","amount":` + v + `,"charge":"ch_1","currency":"cny","status":"succeeded"}`,
			"charge.dispute.created": `{"id":"du_1","object":"dispute","amount":5,"charge":"ch_1","currency":"cny","status":"lost","balance_transactions":[{"amount":` +
				v + `,"fee":0,"currency":"cny","created":1}]}`,
		} {
			if v == "-1" && kind == "charge.dispute.created" {
				continue // what was taken away is below zero
			}
			all = append(all, signed(eventOf(kind, object)))
		}
	}
	return all
}

func goodOrder() providers.Order {
	return providers.Order{
		OrderNo: sampleOrder, Amount: domain.NewMoney(1000, domain.CNY), Subject: "VIP 会员", At: testNow,
		NotifyURL: "https://pay.example.com/callbacks/stripe-main", ReturnURL: "https://shop.example.com/ok",
	}
}
