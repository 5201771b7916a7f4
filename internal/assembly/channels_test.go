package assembly

import (
	"strings"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/internal/config"
	"counterfoil/providers"
)

func v1(id domain.ChannelID, gateway, pid string) config.Channel {
	return config.Channel{
		ID: id, Provider: "epay", Protocol: "v1", Gateway: gateway, PID: pid,
		Key: providers.NewSecret("0123456789abcdef0123456789abcdef"), AllowPlainHTTP: true,
	}
}

func build(channels ...config.Channel) error {
	cfg := config.Config{Channels: map[string]config.Channel{}}
	for _, c := range channels {
		cfg.Channels[string(c.ID)] = c
	}
	_, err := Channels(cfg, domain.ID{1}, time.Now)
	return err
}

// An order placed on both would be credited twice by one payment: the gateway
// confirms its number to whoever asks for the account.
func TestOneMerchantAccountIsOneChannel(t *testing.T) {
	t.Parallel()
	first := v1("a", "https://pay.example.com/epay", "1001")
	for _, gateway := range []string{
		"https://pay.example.com/epay", "https://PAY.example.com:443/epay/", "https://pay.example.com./epay",
		"http://pay.example.com/epay",
	} {
		err := build(first, v1("b", gateway, "1001"))
		if err == nil || domain.KindOf(err) != domain.KindInvalid || domain.FieldOf(err) != "channels.b.pid" ||
			!strings.Contains(err.Error(), "channel a") {
			t.Errorf("%s: error %v", gateway, err)
		}
	}
}

func TestOtherAccountsAreOtherChannels(t *testing.T) {
	t.Parallel()
	err := build(v1("a", "https://pay.example.com/epay", "1001"), v1("b", "https://pay.example.com/epay", "1002"),
		v1("c", "https://pay.example.com", "1001"), v1("d", "https://other.example.com/epay", "1001"))
	if err != nil {
		t.Error(err)
	}
}
