package wechatpay

import (
	"strconv"
	"testing"
	"time"

	"counterfoil/internal/strictjson"
	"counterfoil/providers"
	"counterfoil/providers/providertest"
)

func TestFixtures(t *testing.T) {
	t.Parallel()
	providertest.RunFixtures(t, providertest.Fixtures{
		Least: 87, Remote: "203.0.113.9:40000", Delivery: testDelivery, Channel: fixtureChannel, Arrived: soonAfter,
	})
}

// soonAfter is two seconds after the time that a v3 signature names.
func soonAfter(r providers.Request) time.Time {
	seconds, err := strconv.ParseInt(r.Header.Get(HeaderTimestamp), 10, 64)
	if err != nil {
		return testNow
	}
	return time.Unix(seconds+2, 0)
}

// fixtureChannel is the kit's channel with what a fixture's settings change.
func fixtureChannel(t *testing.T, settings []byte) providers.Channel {
	t.Helper()
	var s struct {
		Protocol  string `json:"protocol"`
		SignType  string `json:"sign_type"`
		SubMchID  string `json:"sub_mchid"`
		PublicKey bool   `json:"public_key"` // the platform's key as a public key instead of a certificate
		NoAPIKey  bool   `json:"without_api_key"`
	}
	if err := strictjson.UnmarshalKnown(settings, &s); err != nil {
		t.Fatal(err)
	}
	cfg := configV3()
	if s.Protocol == V2 {
		cfg = configV2()
		cfg.SignType = s.SignType
	}
	cfg.SubMchID = s.SubMchID
	if s.PublicKey {
		cfg.PlatformKeys = []PlatformKey{{ID: publicKeyID, PEM: publicPEM(platformKeyOnce())}}
	}
	if s.NoAPIKey {
		cfg.APIKey = providers.Secret{}
	}
	return newChannel(t, cfg)
}
