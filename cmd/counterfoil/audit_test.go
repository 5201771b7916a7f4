package main

import (
	"slices"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/providers"
	"counterfoil/providers/epay"
	"counterfoil/sandbox"
)

// What a log records of a channel suffices to verify its evidence again, by
// the same key and without any secret.
func TestStrangersVerifyWithRecordedKeys(t *testing.T) {
	t.Parallel()
	gateway, err := sandbox.NewKeyPair()
	if err != nil {
		t.Fatal(err)
	}
	merchant, err := sandbox.NewKeyPair()
	if err != nil {
		t.Fatal(err)
	}
	ours, err := epay.New(epay.Config{
		Channel: "epay-c", Version: epay.V2, Gateway: "https://pay.example.org", PID: "1001", PlatformKey: gateway.Public,
		MerchantKey: providers.NewSecret(merchant.Private), Ledger: domain.ID{1},
	}, nil, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	p := &program{clock: time.Now}
	theirs := p.strangers([]domain.ChannelConfigured{ours.Config(), {Channel: "epay-a", Provider: "epay", Protocol: "v1"}}, nil)
	if len(theirs) != 1 {
		t.Fatalf("%d channels", len(theirs))
	}
	if got, want := publicKeys(theirs["epay-c"].Config()), publicKeys(ours.Config()); !slices.Equal(got, want) || len(want) != 1 {
		t.Errorf("platform keys %s, want %s", got, want)
	}
}
