package stripe

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
		Least: 100, Remote: "3.18.12.63:40000", Delivery: testDelivery, Channel: fixtureChannel,
		Arrived: func(providers.Request) time.Time { return testNow },
	})
}

// fixtureChannel is the channel that a fixture's settings make.
func fixtureChannel(t *testing.T, settings []byte) providers.Channel {
	t.Helper()
	var s struct {
		Secrets     []string `json:"secrets"`
		Live        bool     `json:"live"`
		Account     string   `json:"account"`
		AccountFrom string   `json:"account_from"`
	}
	if err := strictjson.UnmarshalKnown(settings, &s); err != nil {
		t.Fatal(err)
	}
	return newChannel(t, Config{
		Channel: "stripe", APIKey: providers.NewSecret(sampleKey), Secrets: secrets(s.Secrets...), Live: s.Live,
		Account: s.Account, AccountFrom: s.AccountFrom, Ledger: testLedger,
	})
}
