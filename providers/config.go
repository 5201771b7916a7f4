package providers

import (
	"net/url"

	"counterfoil/domain"
)

// CheckGateway holds a configured address of a provider against what an adapter
// can send signed requests to: https, or http where plainHTTP allows it, a host
// and a path, nothing more. example is an address that is right. Errors are
// about the field gateway and quote no password.
func CheckGateway(address, example string, plainHTTP bool) error {
	wrong := func(format string, args ...any) error {
		return domain.EField(domain.KindInvalid, "gateway", format, args...)
	}
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Hostname() == "":
		return wrong("is not an address like %s", example)
	case u.User != nil: // first, so that no password is quoted below
		return wrong("has a user name in it")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return wrong("%q has more than a path", address)
	case u.Scheme == "http" && !plainHTTP:
		return wrong("%q is not https, and plain http is not allowed for this channel", address)
	case u.Scheme != "https" && u.Scheme != "http":
		return wrong("%q is not https", address)
	}
	return nil
}

// CheckConfirm holds a configured second opinion (confirm, confirm_above)
// against its rules: an amount goes with domain.ConfirmAbove and only with it,
// is positive and in the channel's currency.
func CheckConfirm(mode domain.ConfirmMode, above domain.Money, currency domain.Currency) error {
	switch mode {
	case domain.ConfirmNever, domain.ConfirmAlways:
		if above != (domain.Money{}) {
			return domain.EField(domain.KindInvalid, "confirm_above", "is set, but confirm is %s", mode)
		}
	case domain.ConfirmAbove:
		if !above.IsPositive() || above.Currency() != currency {
			return domain.EField(domain.KindInvalid, "confirm_above", "%s is not a positive amount of %s", above, currency)
		}
	default:
		return domain.EField(domain.KindInvalid, "confirm", "%q is not never, above or always", mode)
	}
	return nil
}
