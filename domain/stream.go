package domain

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// Stream names the events of one thing: a category, and behind a '-' which
// one. The names are stored for ever; the functions here are what makes them.
//
//	payment-<channel>:<order_no>        one order
//	payment-<channel>:trade:<trade_no>  money without an order
//	unmatched-<channel>                 notices whose payment nobody knows yet
//	channel-<channel>
//	reconciliation-<channel>:<YYYY-MM-DD>
//	book-<channel>:<YYYY-MM-DD>
//	payout-<channel>:<payout id>
//	opening-<channel>
//	draw-<draw number>                  what an application says was spent
//	periods
//	policy-<channel>                    what changed its settings, and who agreed
//	acts-<YYYY-MM>                      what people did
//	people                              keys people sign with
//	ledger
//
// A channel has no ':' in it, so the first one ends it.
type Stream string

// LedgerStream holds the facts about the store itself.
const LedgerStream Stream = "ledger"

// maxStream is the longest name that the functions below can make, rounded up.
const maxStream = 256

// What may stand behind the channel of a payment stream, so that no two
// numbers share one: a number in the grammar as it is, "trade:" before a trade
// number, and for what does not fit a '~' before its hash.
const (
	tradeMark = "trade:"
	hashMark  = "~"
)

// PaymentStream is the stream of one order.
func PaymentStream(ch ChannelID, orderNo OrderNo) Stream {
	return PaymentStreamRaw(ch, string(orderNo))
}

// PaymentStreamRaw is PaymentStream for a number as somebody sent it, of any
// bytes and length. One outside the grammar of OrderNo, or that could be taken
// for another kind of name (it starts with '~' or "trade:"), is replaced by
// '~' and the hex of its SHA-256; its true bytes stand in the event.
func PaymentStreamRaw(ch ChannelID, orderNo string) Stream {
	if !isNumber(orderNo) || strings.HasPrefix(orderNo, hashMark) || strings.HasPrefix(orderNo, tradeMark) {
		orderNo = hashed(orderNo)
	}
	return Stream("payment-" + string(ch) + ":" + orderNo)
}

// TradeStream is the stream of money that names no order, as a line of a bill
// may. A number outside the grammar of TradeNo, or that starts with '~', is
// replaced by '~' and the hex of its SHA-256.
func TradeStream(ch ChannelID, tradeNo TradeNo) Stream {
	no := string(tradeNo)
	if !isNumber(no) || strings.HasPrefix(no, hashMark) {
		no = hashed(no)
	}
	return Stream("payment-" + string(ch) + ":" + tradeMark + no)
}

// UnmatchedStream keeps a channel's notices that name no order and whose
// payment nobody knows yet.
func UnmatchedStream(ch ChannelID) Stream { return Stream("unmatched-" + string(ch)) }

// ChannelStream is the stream of one channel's settings.
func ChannelStream(ch ChannelID) Stream { return Stream("channel-" + string(ch)) }

// ReconciliationStream is the stream of one channel's book day, a date in the
// channel's zone written YYYY-MM-DD.
func ReconciliationStream(ch ChannelID, date string) Stream {
	return Stream("reconciliation-" + string(ch) + ":" + date)
}

// BookStream is the stream of what a channel's bill of a day says beside its
// payments: fees, discounts, exchange and movements without a name.
func BookStream(ch ChannelID, day Day) Stream {
	return Stream("book-" + string(ch) + ":" + string(day))
}

func hashed(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hashMark + hex.EncodeToString(sum[:])
}

// ParseStream is s as a stream name: a category of lower-case letters, then
// nothing or '-' and at least one byte of printable ASCII without blank, at
// most 256 bytes in all. KindInvalid for all else. A name may be well formed
// and still be none that the functions here make.
func ParseStream(s string) (Stream, error) {
	category, rest, hasRest := strings.Cut(s, "-")
	ok := len(s) <= maxStream && category != "" && all(category, isLower) &&
		all(rest, isVisible) && hasRest == (rest != "")
	if !ok {
		return "", E(KindInvalid, "stream %s is not a category, or a category, - and a name", quote(s))
	}
	return Stream(s), nil
}

// Category is the text before the first '-', or all of it: what kind of thing
// the stream is about.
func (s Stream) Category() string {
	category, _, _ := strings.Cut(string(s), "-")
	return category
}

// String is the name.
func (s Stream) String() string { return string(s) }

// MarshalText is the name; KindInvalid for one that ParseStream refuses.
func (s Stream) MarshalText() ([]byte, error) { return marshalID(s, ParseStream) }

// UnmarshalText is ParseStream.
func (s *Stream) UnmarshalText(text []byte) error { return unmarshalID(s, text, ParseStream) }
