package stripe

import (
	"regexp"
	"slices"
	"strings"

	"counterfoil/domain"
	"counterfoil/providers"
)

var (
	accountGrammar = regexp.MustCompile(`^acct_[A-Za-z0-9]{1,64}$`)
	versionGrammar = regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}(\.[a-z_]{1,32})?$`)
)

func checkNames(cfg Config) error {
	if _, err := domain.ParseChannelID(string(cfg.Channel)); err != nil {
		return domain.EField(domain.KindInvalid, "channel", "%w", err)
	}
	if cfg.Account != "" && !accountGrammar.MatchString(cfg.Account) {
		return domain.EField(domain.KindInvalid, "account", "%q is not acct_ and letters or digits", cfg.Account)
	}
	if !versionGrammar.MatchString(cfg.APIVersion) {
		return domain.EField(domain.KindInvalid, "api_version", "%q is not a release like %s", cfg.APIVersion, DefaultAPIVersion)
	}
	if !metadataKey(cfg.OrderKey) {
		return domain.EField(domain.KindInvalid, "order_key", "%q is not a metadata key", cfg.OrderKey)
	}
	if key, ok := strings.CutPrefix(cfg.AccountFrom, metadataDot); cfg.AccountFrom != "" && (!ok || !metadataKey(key)) {
		return domain.EField(domain.KindInvalid, "account_from", "%q is not metadata. and a metadata key", cfg.AccountFrom)
	}
	if cfg.Ledger.IsZero() {
		return domain.EField(domain.KindInvalid, "ledger", "is missing")
	}
	return nil
}

// metadataKey is stricter than Stripe, so that a key stands in forms and
// searches as it is.
func metadataKey(key string) bool {
	return key != "" && len(key) <= maxKeyName && !strings.ContainsFunc(key, func(r rune) bool {
		return r != '_' && r != '-' && r != '.' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	})
}

func checkGateway(cfg Config) error {
	return providers.CheckGateway(cfg.Gateway, DefaultGateway, cfg.AllowPlainHTTP)
}

func checkKeys(cfg Config) error {
	if err := checkAPIKey(cfg); err != nil {
		return err
	}
	if len(cfg.Secrets) == 0 {
		return domain.EField(domain.KindInvalid, "webhook_secrets", "are missing")
	}
	if len(cfg.Secrets) > maxSecrets {
		return domain.EField(domain.KindInvalid, "webhook_secrets", "are %d, want at most %d", len(cfg.Secrets), maxSecrets)
	}
	seen := map[string]bool{}
	for _, list := range []struct {
		field   string
		secrets []providers.Secret
	}{{"webhook_secrets", cfg.Secrets}, {"retired_secrets", cfg.Retired}} {
		for i, s := range list.secrets {
			if fault := secretFault(s.Reveal()); fault != "" {
				return domain.EField(domain.KindInvalid, list.field, "secret %d %s", i+1, fault)
			}
			if seen[s.Reveal()] {
				return domain.EField(domain.KindInvalid, list.field, "secret %d stands there twice", i+1)
			}
			seen[s.Reveal()] = true
		}
	}
	return nil
}

// checkAPIKey also catches the key of the other mode: with it, questions would
// be answered about other money.
func checkAPIKey(cfg Config) error {
	wrong := func(format string, args ...any) error {
		return domain.EField(domain.KindInvalid, "api_key", format, args...)
	}
	key, other := cfg.APIKey.Reveal(), "_live_"
	if cfg.Live {
		other = "_test_"
	}
	switch {
	case key == "":
		return wrong("is missing")
	case len(key) < minSecret || unprintable(key):
		return wrong("has fewer than %d bytes, or a blank in it", minSecret)
	case !strings.HasPrefix(key, "sk_") && !strings.HasPrefix(key, "rk_"):
		return wrong("begins with neither sk_ nor rk_")
	case strings.Contains(key, other):
		return wrong("is one of the other mode")
	}
	return nil
}

func secretFault(secret string) string {
	rest, ok := strings.CutPrefix(secret, secretPrefix)
	switch {
	case secret == "":
		return "is empty"
	case !ok:
		return "does not begin with " + secretPrefix
	case len(rest) < minSecret:
		return "is too short"
	case unprintable(secret):
		return "has a blank, a line break or a control character in it"
	}
	return ""
}

func unprintable(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

func checkMoney(cfg Config) error {
	for _, code := range append([]domain.Currency{cfg.Currency}, cfg.Currencies...) {
		if _, err := unitOf(code); err != nil {
			return domain.EField(domain.KindInvalid, "currency", "%w", err)
		}
	}
	if len(cfg.Currencies) > 0 && !slices.Contains(cfg.Currencies, cfg.Currency) {
		return domain.EField(domain.KindInvalid, "currencies", "lack %s, the channel's currency", cfg.Currency)
	}
	if cfg.DisputeLost != "" && cfg.DisputeLost != "wallet" && cfg.DisputeLost != "expense" {
		return domain.EField(domain.KindInvalid, "dispute_lost", "%q is neither wallet nor expense", cfg.DisputeLost)
	}
	if err := providers.CheckConfirm(cfg.Confirm, cfg.ConfirmAbove, cfg.Currency); err != nil {
		return err
	}

	return nil
}
