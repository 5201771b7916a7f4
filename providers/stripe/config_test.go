package stripe

import (
	"strings"
	"testing"

	"counterfoil/domain"
	"counterfoil/providers"
)

// TestConfigRefused: each wrong setting is named, and no text has a secret.
func TestConfigRefused(t *testing.T) {
	t.Parallel()
	for field, changes := range map[string][]func(*Config){
		"channel": {func(c *Config) { c.Channel = "" }, func(c *Config) { c.Channel = "Main" }},
		"gateway": {
			func(c *Config) { c.Gateway = "http://127.0.0.1:1" }, func(c *Config) { c.Gateway = "https://u:p@x" },
			func(c *Config) { c.Gateway = "https://x?y" }, func(c *Config) { c.Gateway = "ftp://x" }, func(c *Config) { c.Gateway = "x" },
		},
		"api_key": {
			func(c *Config) { c.APIKey = providers.Secret{} },
			func(c *Config) { c.APIKey = providers.NewSecret("sk_live_4eC39HqLyjWDarjtT1zdp7dc") },
			func(c *Config) { c.Live = true },
			func(c *Config) { c.APIKey = providers.NewSecret("pk_test_4eC39HqLyjWDarjtT1zdp7dc") },
			func(c *Config) { c.APIKey = providers.NewSecret("sk_test_1") },
			func(c *Config) { c.APIKey = providers.NewSecret("sk_test_4eC39HqLyjWDar\n") },
		},
		"webhook_secrets": {
			func(c *Config) { c.Secrets = nil }, func(c *Config) { c.Secrets = secrets("") },
			func(c *Config) { c.Secrets = secrets("whsec_short") }, func(c *Config) { c.Secrets = secrets(sampleKey) },
			func(c *Config) { c.Secrets = secrets(sampleSecret, sampleSecret) },
			func(c *Config) { c.Secrets = secrets(sampleSecret + " ") },
			func(c *Config) { c.Secrets = make([]providers.Secret, 9) },
		},
		"retired_secrets": {func(c *Config) { c.Retired = secrets(sampleSecret) }, func(c *Config) { c.Retired = secrets("x") }},
		"account":         {func(c *Config) { c.Account = "1234" }, func(c *Config) { c.Account = "acct_1/.." }},
		"api_version":     {func(c *Config) { c.APIVersion = "latest" }},
		"order_key":       {func(c *Config) { c.OrderKey = `x"]` }},
		"account_from":    {func(c *Config) { c.AccountFrom = "account" }, func(c *Config) { c.AccountFrom = "metadata." }},
		"currency":        {func(c *Config) { c.Currency = "XYZ" }, func(c *Config) { c.Currencies = []domain.Currency{"USDT"} }},
		"currencies":      {func(c *Config) { c.Currencies = []domain.Currency{domain.USD} }},
		"zone":            {func(c *Config) { c.Zone = "Mars/Olympus" }},
		"confirm":         {func(c *Config) { c.Confirm = "maybe" }},
		"confirm_above":   {func(c *Config) { c.Confirm = domain.ConfirmAbove }, func(c *Config) { c.ConfirmAbove = domain.NewMoney(1, domain.CNY) }},
		"dispute_lost":    {func(c *Config) { c.DisputeLost = "them" }},
		"ledger":          {func(c *Config) { c.Ledger = domain.ID{} }},
	} {
		for i, change := range changes {
			cfg := config()
			change(&cfg)
			_, err := New(cfg, nil, clock)
			if domain.KindOf(err) != domain.KindInvalid || domain.FieldOf(err) != field {
				t.Errorf("%s %d: %v, field %q", field, i, err, domain.FieldOf(err))
			}
			for _, s := range []string{sampleSecret, "4eC39HqLyjWDar", "u:p"} {
				if err != nil && strings.Contains(err.Error(), s) {
					t.Errorf("%s %d shows a secret: %v", field, i, err)
				}
			}
		}
	}
	if _, err := New(config(), nil, nil); domain.FieldOf(err) != "clock" {
		t.Errorf("no clock: %v", err)
	}
}

func TestConfigRecorded(t *testing.T) {
	t.Parallel()
	cfg := config()
	cfg.Account, cfg.Retired = "acct_1Ours", secrets(otherSecret)
	cfg.Currencies = []domain.Currency{domain.CNY, domain.JPY}
	got := newChannel(t, cfg).Config()
	if got.Provider != "stripe" || got.Gateway != DefaultGateway || got.Zone != "UTC" || got.Confirm != domain.ConfirmNever ||
		!got.Test || got.Merchant["account"] != "acct_1Ours" || got.Merchant["livemode"] != "false" || len(got.Currencies) != 2 ||
		got.AccountFrom != "metadata.account" {
		t.Errorf("recorded as %+v", got)
	}
	uses := ""
	for _, s := range got.Secrets {
		uses += s.Use + " "
	}
	if uses != "webhook webhook_retired api_key " {
		t.Errorf("secrets %s", uses)
	}
}

func TestForm(t *testing.T) {
	t.Parallel()
	c := newChannel(t, config())
	f, err := c.Form(goodOrder())
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"client_reference_id": sampleOrder, "metadata[order_no]": sampleOrder, "mode": "payment",
		"payment_intent_data[metadata][order_no]": sampleOrder, "line_items[0][price_data][currency]": "cny",
		"line_items[0][price_data][unit_amount]": "1000", "success_url": "https://shop.example.com/ok",
	} {
		if f.Fields[name] != want {
			t.Errorf("%s is %q, want %q", name, f.Fields[name], want)
		}
	}
	if f.Action != "https://api.stripe.com/v1/checkout/sessions" || f.Method != "POST" {
		t.Errorf("form %+v", f)
	}
	for field, change := range map[string]func(*providers.Order){
		"order_no": func(o *providers.Order) { o.OrderNo = "a b" },
		"amount":   func(o *providers.Order) { o.Amount = domain.NewMoney(1231, "KWD") },
		"subject":  func(o *providers.Order) { o.Subject = " " },
	} {
		o := goodOrder()
		change(&o)
		if _, err := c.Form(o); domain.FieldOf(err) != field {
			t.Errorf("%s: %v", field, err)
		}
	}
	for _, amount := range []domain.Money{{}, domain.NewMoney(0, domain.CNY), domain.NewMoney(-100, domain.CNY)} {
		o := goodOrder()
		o.Amount = amount
		if _, err := c.Form(o); domain.FieldOf(err) != "amount" {
			t.Errorf("a form over %s: %v", amount, err)
		}
	}
	long := goodOrder()
	long.Subject = strings.Repeat("会", 200)
	f, err = c.Form(long)
	if name := f.Fields["line_items[0][price_data][product_data][name]"]; err != nil || len(name) != 249 {
		t.Errorf("long name: %d bytes, %v", len(name), err)
	}
}
