package config

import "counterfoil/domain"

// parseLimits reads what people may decide on a channel's money; nil where
// nothing is limited.
func (ch *Channel) parseLimits(field func(string) string) error {
	var p domain.CorrectionPolicy
	for _, l := range []struct {
		name, text string
		to         *domain.Money
	}{
		{"correction_limit", ch.CorrectionLimit, &p.Item},
		{"correction_limit_person", ch.CorrectionPerson, &p.PersonDay},
		{"correction_limit_account", ch.CorrectionAccount, &p.AccountDay},
	} {
		if l.text == "" {
			continue
		}
		m, err := domain.ParseMoney(l.text, domain.Currency(ch.Currency))
		if err != nil {
			return wrong(field(l.name), l.text, "must be an amount in "+ch.Currency+", e.g. 500.00")
		}
		*l.to = m
		ch.Corrections = &p
	}
	return nil
}
