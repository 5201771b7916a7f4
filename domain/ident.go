package domain

// ChannelID names one merchant account at one provider, for ever:
// [a-z0-9][a-z0-9-]{0,31}. ParseChannelID is the way in.
type ChannelID string

// OrderNo is the merchant's number of an order: 1 to 200 bytes of printable
// ASCII without blank (0x21 to 0x7E). Two are the same when their bytes are.
// ParseOrderNo is the way in.
type OrderNo string

// TradeNo is the provider's number of a payment. Providers document less than
// they send, so it has the grammar of OrderNo. ParseTradeNo is the way in.
type TradeNo string

// TestAccount is the wallet of real payments that try a channel: booked like any
// other, no customer's, and in no total of the wallets.
const TestAccount AccountID = "_test"

// AccountID names a wallet: [A-Za-z0-9_.:@-]{1,128}. It is opaque here and
// never personal data. ParseAccountID is the way in.
type AccountID string

// Longest ids, in bytes.
const (
	maxChannelID = 32
	maxNumber    = 200
	maxAccountID = 128
)

// ParseChannelID is s as a channel id, or KindInvalid.
func ParseChannelID(s string) (ChannelID, error) {
	ok := s != "" && len(s) <= maxChannelID && s[0] != '-' && all(s, func(b byte) bool {
		return isLower(b) || isDigit(b) || b == '-'
	})
	if !ok {
		return "", E(KindInvalid, "channel %s is not 1 to 32 of a-z, 0-9 and inner or last -", quote(s))
	}
	return ChannelID(s), nil
}

// ParseOrderNo is s as an order number, or KindInvalid.
func ParseOrderNo(s string) (OrderNo, error) {
	if !isNumber(s) {
		return "", E(KindInvalid, "order number %s is not 1 to 200 bytes of printable ASCII without blank", quote(s))
	}
	return OrderNo(s), nil
}

// ParseTradeNo is s as a provider's trade number, or KindInvalid.
func ParseTradeNo(s string) (TradeNo, error) {
	if !isNumber(s) {
		return "", E(KindInvalid, "trade number %s is not 1 to 200 bytes of printable ASCII without blank", quote(s))
	}
	return TradeNo(s), nil
}

// ParseAccountID is s as an account id, or KindInvalid.
func ParseAccountID(s string) (AccountID, error) {
	ok := s != "" && len(s) <= maxAccountID && all(s, func(b byte) bool {
		return isLower(b) || isDigit(b) || (b >= 'A' && b <= 'Z') ||
			b == '_' || b == '.' || b == ':' || b == '@' || b == '-'
	})
	if !ok {
		return "", E(KindInvalid, "account %s is not 1 to 128 of A-Z, a-z, 0-9, _ . : @ -", quote(s))
	}
	return AccountID(s), nil
}

// isNumber is the grammar of order and trade numbers.
func isNumber(s string) bool {
	return s != "" && len(s) <= maxNumber && all(s, isVisible)
}

func isLower(b byte) bool   { return b >= 'a' && b <= 'z' }
func isDigit(b byte) bool   { return b >= '0' && b <= '9' }
func isVisible(b byte) bool { return b >= 0x21 && b <= 0x7e }

// all reports whether ok holds for every byte of s.
func all(s string, ok func(byte) bool) bool {
	for i := range len(s) {
		if !ok(s[i]) {
			return false
		}
	}
	return true
}

// MarshalText is the id; KindInvalid for one that ParseChannelID refuses, the
// empty one included: an optional field needs omitempty.
func (c ChannelID) MarshalText() ([]byte, error) { return marshalID(c, ParseChannelID) }

// UnmarshalText is ParseChannelID.
func (c *ChannelID) UnmarshalText(text []byte) error { return unmarshalID(c, text, ParseChannelID) }

// MarshalText is the number; KindInvalid for one that ParseOrderNo refuses,
// the empty one included: an optional field needs omitempty.
func (o OrderNo) MarshalText() ([]byte, error) { return marshalID(o, ParseOrderNo) }

// UnmarshalText is ParseOrderNo.
func (o *OrderNo) UnmarshalText(text []byte) error { return unmarshalID(o, text, ParseOrderNo) }

// MarshalText is the number; KindInvalid for one that ParseTradeNo refuses,
// the empty one included: an optional field needs omitempty.
func (t TradeNo) MarshalText() ([]byte, error) { return marshalID(t, ParseTradeNo) }

// UnmarshalText is ParseTradeNo.
func (t *TradeNo) UnmarshalText(text []byte) error { return unmarshalID(t, text, ParseTradeNo) }

// MarshalText is the id; KindInvalid for one that ParseAccountID refuses, the
// empty one included: an optional field needs omitempty.
func (a AccountID) MarshalText() ([]byte, error) { return marshalID(a, ParseAccountID) }

// UnmarshalText is ParseAccountID.
func (a *AccountID) UnmarshalText(text []byte) error { return unmarshalID(a, text, ParseAccountID) }

// marshalID writes an id that its own parser accepts.
func marshalID[T ~string](id T, parse func(string) (T, error)) ([]byte, error) {
	if _, err := parse(string(id)); err != nil {
		return nil, err
	}
	return []byte(id), nil
}

// unmarshalID sets *id to what its parser makes of text, or leaves it alone.
func unmarshalID[T ~string](id *T, text []byte, parse func(string) (T, error)) error {
	parsed, err := parse(string(text))
	if err != nil {
		return err
	}
	*id = parsed
	return nil
}
