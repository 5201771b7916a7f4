package domain

// MarshalJSON is {"amount":"7.30","currency":"CNY"}. No money has no JSON:
// KindInvalid.
func (m Money) MarshalJSON() ([]byte, error) {
	if !m.currency.Known() {
		return nil, E(KindInvalid, "money without a known currency (%s) cannot be written", quote(string(m.currency)))
	}
	return m.AppendJSON(make([]byte, 0, 64)), nil
}

// AppendJSON appends what MarshalJSON writes, for a Money that has a currency.
func (m Money) AppendJSON(b []byte) []byte {
	b = m.AppendAmount(append(b, `{"amount":"`...))
	b = append(append(b, `","currency":"`...), m.currency...)
	return append(b, `"}`...)
}

// UnmarshalJSON reads what MarshalJSON writes, with the members in any order
// and blanks between them. Everything else is KindInvalid: another, repeated
// or missing member, null, a number, an escape, an amount that ParseSigned
// refuses.
func (m *Money) UnmarshalJSON(data []byte) error {
	amount, currency, ok := moneyMembers(data)
	if !ok {
		return E(KindInvalid, `money must be {"amount":"7.30","currency":"CNY"}, with these two members and no other`)
	}
	c, err := ParseCurrency(currency)
	if err != nil {
		return err
	}
	parsed, err := ParseSigned(amount, c)
	if err != nil {
		return err
	}
	*m = parsed
	return nil
}

// moneyMembers takes a JSON object of exactly the two plain string members
// apart. Neither name nor value ever needs an escape, so none is understood.
// One of them twice leaves the other empty, which nobody takes for a value.
func moneyMembers(data []byte) (amount, currency string, ok bool) {
	c := cursor{rest: string(data)}
	c.expect('{')
	for n := range 2 {
		if n > 0 {
			c.expect(',')
		}
		name := c.plainString()
		c.expect(':')
		value := c.plainString()
		switch name {
		case "amount":
			amount = value
		case "currency":
			currency = value
		default:
			return "", "", false
		}
	}
	c.expect('}')
	c.skipBlanks()
	return amount, currency, !c.failed && len(c.rest) == 0
}

// cursor walks over JSON; once something is not as expected it stays failed.
type cursor struct {
	rest   string
	failed bool
}

func (c *cursor) skipBlanks() {
	for len(c.rest) > 0 {
		switch c.rest[0] {
		case ' ', '\t', '\r', '\n':
			c.rest = c.rest[1:]
		default:
			return
		}
	}
}

func (c *cursor) expect(want byte) {
	c.skipBlanks()
	if len(c.rest) == 0 || c.rest[0] != want {
		c.failed = true
		return
	}
	c.rest = c.rest[1:]
}

// plainString is a string of printable ASCII without escapes, not longer than
// an amount can be.
func (c *cursor) plainString() string {
	c.expect('"')
	for i := range min(len(c.rest), maxAmountText) {
		switch b := c.rest[i]; {
		case b == '"' && !c.failed:
			s := c.rest[:i]
			c.rest = c.rest[i+1:]
			return s
		case b < 0x20 || b > 0x7e || b == '\\':
			c.failed = true
			return ""
		}
	}
	c.failed = true
	return ""
}
