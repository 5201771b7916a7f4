// Package providertest is the suite that every provider's adapter passes. It
// holds what must be true of any of them: a genuine callback is read as meant
// and can be read again from its evidence, whatever was changed or made by
// somebody else is refused, the answers are exact, and no secret shows. What
// only one protocol has is tested beside its adapter.
package providertest

import (
	"iter"
	"testing"

	"counterfoil/domain"
	"counterfoil/providers"
)

// Genuine is a callback as the provider makes it, and what it says. Only the
// content of the notices is compared (providers.Content).
type Genuine struct {
	Name    string
	Request providers.Request
	Notices []domain.Notice
}

// Forgery names a way to make a callback that must be refused.
type Forgery string

// The forgeries that every provider's harness must bring.
const (
	OtherMerchant  Forgery = "other merchant"  // rightly signed, for another account under the same key
	EmptySign      Forgery = "empty sign"      // no signature, or one without bytes
	EmptyKeySign   Forgery = "empty key sign"  // signed with a key of no bytes
	OtherKeySign   Forgery = "other key sign"  // signed with somebody else's key
	OtherAlgorithm Forgery = "other algorithm" // rightly signed in another way than the channel's
	Duplicates     Forgery = "duplicates"      // one name twice, rightly signed for one reading
	Unreadable     Forgery = "unreadable"      // bytes that are no message of the protocol
)

// forgeries are all of them, with the reason that each must be refused for.
var forgeries = map[Forgery]domain.Reason{
	OtherMerchant:  domain.ReasonForeignMerchant,
	EmptySign:      domain.ReasonWrongSignature,
	EmptyKeySign:   domain.ReasonWrongSignature,
	OtherKeySign:   domain.ReasonWrongSignature,
	OtherAlgorithm: domain.ReasonWrongSignature,
	Duplicates:     domain.ReasonUnreadable,
	Unreadable:     domain.ReasonUnreadable,
}

// Harness is one channel with what the suite needs to test it.
type Harness struct {
	Channel providers.Channel
	// Others are channels with other keys: every genuine callback is a forgery
	// to them.
	Others  []providers.Channel
	Genuine []Genuine
	// Mutants yields r with one bit changed in what is signed, for every bit,
	// and the signature as it was.
	Mutants func(r providers.Request) iter.Seq[providers.Request]
	Forged  map[Forgery][]providers.Request
	// Replies has the exact answer for every outcome.
	Replies map[domain.Outcome]domain.Reply
	// SuccessWord confirms a delivery wherever a body contains it, in any case;
	// "" if only the status counts.
	SuccessWord string
	// Secrets are the channel's keys as they are configured: long enough that
	// they cannot show by chance.
	Secrets []string
	// Order can be signed by Form; its zero value means that the channel signs
	// no orders. Returned makes a callback of the signed form.
	Order    providers.Order
	Returned func(providers.Form) providers.Request
	// Amount makes paid callbacks, rightly signed, whose amount is this text in
	// every way the protocol could carry it; nil where a test beside the adapter
	// does that.
	Amount func(text string) []providers.Request
}

// Run tests a channel.
func Run(t *testing.T, h Harness) {
	t.Helper()
	h.check(t)
	for name, test := range map[string]func(*testing.T, Harness){
		"Config":    testConfig,
		"Genuine":   testGenuine,
		"Evidence":  testEvidence,
		"Reverify":  testReverify,
		"Tampered":  testTampered,
		"Mutants":   testMutants,
		"RawBits":   testRawBits,
		"Forged":    testForged,
		"OtherKeys": testOtherKeys,
		"Transport": testTransport,
		"Replies":   testReplies,
		"Form":      testForm,
		"Secrets":   testSecrets,
		"Hosts":     testHosts,
		"Packed":    testPacked,
		"Amounts":   testAmounts,
		"Years":     testYears,
		"Units":     testUnits,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, h)
		})
	}
}

// check stops a harness that would test less than it seems to.
func (h Harness) check(t *testing.T) {
	t.Helper()
	if h.Channel == nil || len(h.Others) == 0 || len(h.Genuine) == 0 || len(h.Secrets) == 0 || h.Mutants == nil {
		t.Fatal("the harness lacks a channel, others, genuine callbacks, secrets or mutants")
	}
	for name := range forgeries {
		if len(h.Forged[name]) == 0 {
			t.Fatalf("the harness brings no forgery %q", name)
		}
	}
	for _, secret := range h.Secrets {
		if len(secret) < 12 {
			t.Fatal("the harness has a secret too short to be looked for")
		}
	}
}
