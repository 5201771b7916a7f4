package epay

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
		Least: 63, Remote: "203.0.113.9:40000", Delivery: testDelivery, Channel: fixtureChannel,
		Arrived: func(providers.Request) time.Time { return testNow },
	})
}

// fixtureChannel is the channel that a fixture's settings make.
func fixtureChannel(t *testing.T, settings []byte) providers.Channel {
	t.Helper()
	var s struct {
		Version     string `json:"version"`
		PID         string `json:"pid"`
		Key         string `json:"key"`
		PlatformKey string `json:"platform_key"`
	}
	if err := strictjson.UnmarshalKnown(settings, &s); err != nil {
		t.Fatal(err)
	}
	cfg := Config{
		Channel: "epay", Version: s.Version, Gateway: "https://pay.example.com", PID: s.PID,
		Key: providers.NewSecret(s.Key), PlatformKey: s.PlatformKey, Ledger: testLedger,
	}
	if s.Version == V2 {
		cfg.MerchantKey = providers.NewSecret(merchantKeyText())
	}
	return newChannel(t, cfg)
}
