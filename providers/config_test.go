package providers_test

import (
	"strings"
	"testing"

	"counterfoil/domain"
	"counterfoil/providers"
)

func TestCheckGateway(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		address string
		plain   bool
		wrong   string // a part of the error
	}{
		{"https://pay.example.com", false, ""},
		{"https://pay.example.com:8443/gateway.do", false, ""},
		{"http://[::1]:8080", true, ""},
		{"http://pay.example.com", false, "plain http is not allowed"},
		{"ftp://pay.example.com", true, "is not https"},
		{"pay.example.com", true, "is not an address like https://api.example.com"},
		{"https://", false, "is not an address like"},
		{"https://:443", false, "is not an address like"},
		{"https://pay.example.com/%zz", false, "is not an address like"},
		{"https://me:hunter2@pay.example.com", false, "has a user name in it"},
		{"https://pay.example.com?a=1", false, "has more than a path"},
		{"https://pay.example.com/?", false, "has more than a path"},
		{"https://pay.example.com/#a", false, "has more than a path"},
	} {
		err := providers.CheckGateway(c.address, "https://api.example.com", c.plain)
		if (err == nil) != (c.wrong == "") || err != nil && !strings.Contains(err.Error(), c.wrong) {
			t.Errorf("%s: %v, want %q", c.address, err, c.wrong)
		}
		if err != nil && (domain.KindOf(err) != domain.KindInvalid || strings.Contains(err.Error(), "hunter2")) {
			t.Errorf("%s: %v", c.address, err)
		}
	}
}

func TestCheckConfirm(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		mode  domain.ConfirmMode
		above domain.Money
		good  bool
	}{
		{domain.ConfirmNever, domain.Money{}, true},
		{domain.ConfirmAlways, domain.Money{}, true},
		{domain.ConfirmAbove, domain.NewMoney(1, domain.CNY), true},
		{domain.ConfirmNever, domain.NewMoney(1, domain.CNY), false},
		{domain.ConfirmAlways, domain.NewMoney(0, domain.CNY), false},
		{domain.ConfirmAbove, domain.Money{}, false},
		{domain.ConfirmAbove, domain.NewMoney(0, domain.CNY), false},
		{domain.ConfirmAbove, domain.NewMoney(-1, domain.CNY), false},
		{domain.ConfirmAbove, domain.NewMoney(1, "USD"), false},
		{"sometimes", domain.Money{}, false},
		{"", domain.Money{}, false},
	} {
		if err := providers.CheckConfirm(c.mode, c.above, domain.CNY); (err == nil) != c.good {
			t.Errorf("%s above %s: %v", c.mode, c.above, err)
		}
	}
}
