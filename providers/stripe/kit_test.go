package stripe

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/providers"
)

const (
	sampleSecret = "whsec_test_vector_secret_000000000000"
	otherSecret  = "whsec_somebody_elses_secret_2222222222"
	sampleKey    = "sk_test_4eC39HqLyjWDarjtT1zdp7dc"
	sampleOrder  = "20260214100000001"
)

// vectorBody is the recorded event, vectorSignature its header by openssl.
const (
	vectorBody = `{"id":"evt_1Pv3c7orTestVector","object":"event","api_version":"2025-11-17.clover","created":1771034406,` +
		`"data":{"object":{"id":"cs_test_a1","object":"checkout.session","amount_total":1000,"currency":"cny",` +
		`"client_reference_id":"20260214100000001","payment_intent":"pi_3Test","payment_status":"paid","status":"complete"}},` +
		`"livemode":false,"pending_webhooks":1,"request":{"id":null,"idempotency_key":null},"type":"checkout.session.completed"}`
	vectorSignature = "t=1771034406,v1=22c8377ff76b162b539ae9d3cd02e4d1d8c4e6cdc0945bb3b0e4733dbbf8c31f"
)

var (
	testLedger   = domain.NewV5(domain.ID{}, "ledger of the stripe tests")
	testDelivery = domain.NewV5(testLedger, "delivery")
	testNow      = time.Unix(1771034406, 0).UTC()
)

func clock() time.Time { return testNow }

func secrets(list ...string) []providers.Secret {
	out := make([]providers.Secret, 0, len(list))
	for _, s := range list {
		out = append(out, providers.NewSecret(s))
	}
	return out
}

func config() Config {
	return Config{
		Channel: "stripe-main", APIKey: providers.NewSecret(sampleKey), Secrets: secrets(sampleSecret),
		AccountFrom: "metadata.account", Ledger: testLedger,
	}
}

func newChannel(tb testing.TB, cfg Config) *Channel {
	tb.Helper()
	c, err := New(cfg, nil, clock)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// request is a callback with this body and signature header.
func request(body, signature string) providers.Request {
	h := http.Header{"Content-Type": {"application/json; charset=utf-8"}, "User-Agent": {"Stripe/1.0"}}
	if signature != "" {
		h.Set(SignatureHeader, signature)
	}
	return providers.Request{
		Method: http.MethodPost, Target: "/callbacks/stripe-main", Header: h, Body: []byte(body),
		Remote: "3.18.12.63:40000", ReceivedAt: testNow, Delivery: testDelivery,
	}
}

// signed is a callback that the provider signed now.
func signed(body string) providers.Request {
	return request(body, Sign([]byte(body), sampleSecret, testNow))
}

// eventOf is an event with this type and object.
func eventOf(kind, object string) string {
	return fmt.Sprintf(`{"id":"evt_1","object":"event","api_version":"2025-11-17.clover","created":1771034406,"livemode":false,`+
		`"type":%q,"data":{"object":%s}}`, kind, object)
}

// sessionOf is a paid session, with members that replace or join its own.
func sessionOf(members ...string) string {
	return patched(`{"id":"cs_1","object":"checkout.session","amount_total":1000,"currency":"cny","client_reference_id":"`+
		sampleOrder+`","payment_intent":"pi_3Test","payment_status":"paid","status":"complete"}`, members...)
}

// patched sets members, given as `"name":value`, in a flat JSON object.
func patched(object string, members ...string) string {
	for _, m := range members {
		name, _, _ := strings.Cut(m, ":")
		if at := strings.Index(object, name+":"); at >= 0 {
			end := at + strings.IndexAny(object[at:], ",}")
			object = object[:at] + m + object[end:]
		} else {
			object = strings.TrimSuffix(object, "}") + "," + m + "}"
		}
	}
	return object
}

// paid is what the vector says.
func paid() domain.Notice {
	return domain.Notice{
		Source: domain.SourceCallback, Channel: "stripe-main", OrderNo: sampleOrder, TradeNo: "pi_3Test",
		Amount: domain.NewMoney(1000, domain.CNY), Status: domain.StatusPaid, ProviderStatus: "paid", OccurredAt: testNow,
	}
}

func mustRead(t *testing.T, c *Channel, body string) []domain.Notice {
	t.Helper()
	read, refusal, err := c.Read(signed(body))
	if err != nil {
		t.Fatalf("refused with %s: %v", refusal.Reason, err)
	}
	return read.Notices
}
