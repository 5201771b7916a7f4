package alipay

import (
	"testing"
	"time"

	"counterfoil/internal/strictjson"
	"counterfoil/providers"
	"counterfoil/providers/providertest"
)

func TestFixtures(t *testing.T) {
	t.Parallel()
	providertest.RunFixtures(t, providertest.Fixtures{
		Least: 57, Except: []string{"vectors.txtar"}, Remote: "203.0.113.9:40000", Delivery: testDelivery, Channel: fixtureChannel,
		Arrived: func(providers.Request) time.Time { return testNow },
	})
}

// fixtureChannel is the channel that a fixture's settings make.
func fixtureChannel(t *testing.T, settings []byte) providers.Channel {
	t.Helper()
	var s struct {
		AppID     string `json:"app_id"`
		SellerID  string `json:"seller_id"`
		AlipayKey string `json:"alipay_key"`
	}
	if err := strictjson.UnmarshalKnown(settings, &s); err != nil {
		t.Fatal(err)
	}
	cfg := testConfig()
	cfg.AppID, cfg.SellerID, cfg.AlipayKeys = s.AppID, s.SellerID, []string{s.AlipayKey}
	return newChannel(t, cfg)
}
