package domain

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// The names are stored for ever: these are spelled out.
func TestStreamNames(t *testing.T) {
	t.Parallel()
	const hashOfTilde = "~7ace431cb61584cb9b8dc7ec08cf38ac0a2d649660be86d349fb43108b542fa4"
	for _, tt := range []struct {
		got  Stream
		want string
	}{
		{PaymentStream("epay-main", "20261122-1"), "payment-epay-main:20261122-1"},
		{PaymentStream("a", "trade"), "payment-a:trade"},
		{PaymentStream("a", ":x:~"), "payment-a::x:~"},
		{PaymentStreamRaw("a", ""), "payment-a:~e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
		{PaymentStreamRaw("a", "a b"), "payment-a:~c8687a08aa5d6ed2044328fa6a697ab8e96dc34291e8c2034ae8c38e6fcc6d65"},
		{PaymentStream("a", "~"), "payment-a:" + hashOfTilde},
		{PaymentStream("a", "trade:1"), "payment-a:" + hashed("trade:1")},
		{PaymentStreamRaw("a", strings.Repeat("1", 201)), "payment-a:" + hashed(strings.Repeat("1", 201))},
		{PaymentStreamRaw("a", strings.Repeat("1", 200)), "payment-a:" + strings.Repeat("1", 200)},
		{TradeStream("a", "2026"), "payment-a:trade:2026"},
		{TradeStream("a", "trade:1"), "payment-a:trade:trade:1"},
		{TradeStream("a", "~"), "payment-a:trade:" + hashOfTilde},
		{TradeStream("a", "七"), "payment-a:trade:" + hashed("七")},
		{ChannelStream("epay-main"), "channel-epay-main"},
		{ReconciliationStream("epay-main", "2026-11-22"), "reconciliation-epay-main:2026-11-22"},
		{DrawStream("log-8812"), "draw-log-8812"},
		{DrawStream("trade:1"), "draw-trade:1"},
		{DrawStream("~"), "draw-" + hashOfTilde},
		{LedgerStream, "ledger"},
	} {
		if tt.got.String() != tt.want {
			t.Errorf("got %s, want %s", tt.got, tt.want)
		}
	}
}

func TestStreamCategory(t *testing.T) {
	t.Parallel()
	for s, want := range map[Stream]string{
		"ledger": "ledger", "payment-a-b:c-d": "payment", "reconciliation-a:2026-11-22": "reconciliation", "": "",
	} {
		if got := s.Category(); got != want {
			t.Errorf("category of %q is %q", s, got)
		}
	}
}

func TestParseStreamRefuses(t *testing.T) {
	t.Parallel()
	for _, s := range append([]string{
		"-", "-a", "payment-", "Payment-a", "pay ment", "payment1-a", "payment:a", "$all", "$ce-payment", "payment-a b",
		"payment-" + strings.Repeat("a", 249),
	}, strangeIDs...) {
		if stream, err := ParseStream(s); err == nil || KindOf(err) != KindInvalid || stream != "" {
			t.Errorf("%.40q: %q, %v", s, stream, err)
		}
	}
	if _, err := ParseStream("payment-" + strings.Repeat("a", 248)); err != nil {
		t.Error(err)
	}
}

func anyChannel() *rapid.Generator[ChannelID] {
	return rapid.Map(rapid.StringMatching(`[a-c0-1][a-c0-1-]{0,31}`), func(s string) ChannelID { return ChannelID(s) })
}

// Two (channel, order number) pairs share a stream only if they are the same
// pair; so do two trade numbers; and no order shares one with a trade. All
// names are well formed.
func TestPaymentStreamsAreInjective(t *testing.T) {
	t.Parallel()
	type subject struct {
		channel ChannelID
		number  string
		trade   bool
	}
	streamOf := func(s subject) Stream {
		if s.trade {
			return TradeStream(s.channel, TradeNo(s.number))
		}
		return PaymentStreamRaw(s.channel, s.number)
	}
	anySubject := rapid.Custom(func(t *rapid.T) subject {
		return subject{anyChannel().Draw(t, "channel"), anyNumber().Draw(t, "number"), rapid.Bool().Draw(t, "trade")}
	})
	rapid.Check(t, func(t *rapid.T) {
		a := anySubject.Draw(t, "a")
		b := anySubject.Draw(t, "b")
		switch rapid.IntRange(0, 2).Draw(t, "related") {
		case 1: // aims at a's stream from another number
			_, b.number, _ = strings.Cut(streamOf(a).String(), ":")
			b.channel = a.channel
		case 2:
			b.number, b.channel = a.number, a.channel
		}
		if (streamOf(a) == streamOf(b)) != (a == b) {
			t.Fatalf("%+v and %+v: %s, %s", a, b, streamOf(a), streamOf(b))
		}
		if _, err := ParseStream(string(streamOf(a))); err != nil || streamOf(a).Category() != "payment" {
			t.Fatalf("%+v: %v", a, err)
		}
	})
}
