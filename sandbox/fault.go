package sandbox

import (
	"time"

	"counterfoil/sandbox/stage"
)

// What goes wrong is named in the words of the stage; these are its types under
// the names that users of the gateway know.
type (
	// Class names a way in which the gateway, its operator, its network or an
	// attacker departs from one good callback per payment.
	Class = stage.Class
	// Fault is one thing to go wrong. Zero fields take the class's default.
	Fault = stage.Fault
	// Rate plants a fault on a share of the payments.
	Rate = stage.Rate
	// Duration is a time.Duration that JSON writes as "1m30s".
	Duration = stage.Duration
)

// Classes that act on callbacks; see package stage.
const (
	None        = stage.None
	Lost        = stage.Lost
	NoRetry     = stage.NoRetry
	Repeated    = stage.Repeated
	Reordered   = stage.Reordered
	Concurrent  = stage.Concurrent
	Late        = stage.Late
	Slow        = stage.Slow
	ReplyLost   = stage.ReplyLost
	Closed      = stage.Closed
	ExtraField  = stage.ExtraField
	Forged      = stage.Forged
	OtherPID    = stage.OtherPID
	WrongStatus = stage.WrongStatus
	OtherAmount = stage.OtherAmount
	SecondTrade = stage.SecondTrade
)

// Classes that act on callbacks and are Epay's own.
const (
	Double       Class = "double"        // once by GET and at once again as a POST form
	ReturnReplay Class = "return_replay" // the payer sends the signed return address to the callback address, Copies times
	Ambiguous    Class = "ambiguous"     // the genuine text of a 0.01 order, cut anew so that it names this one
	Minted       Class = "minted"        // rightly signed with a leaked key, and no money behind it
	Reused       Class = "reused"        // the order number opened again after ten days, and paid again
)

// Classes that act on the gateway's answers about an order; see package stage.
const (
	Query5xx      = stage.Query5xx
	QueryClosed   = stage.QueryClosed
	QueryHTML     = stage.QueryHTML
	QueryMissing  = stage.QueryMissing
	QuerySlow     = stage.QuerySlow
	QueryUnsigned = stage.QueryUnsigned // V2 only
	QueryForged   = stage.QueryForged   // V2 only

	Purged Class = "purged" // the operator deletes the order
)

// Variants of Forged; see package stage.
const (
	WrongSignature = stage.WrongSignature
	EmptyKey       = stage.EmptyKey
	Downgraded     = stage.Downgraded
	Tampered       = stage.Tampered
)

// classes are what the Epay gateway can have happen.
var classes = stage.CommonClasses().With(stage.Classes{ //nolint:exhaustive // those beside the common ones
	Double: {}, ExtraField: {},
	ReturnReplay: {Copies: 2}, Forged: {Spoof: true}, OtherPID: {Spoof: true}, WrongStatus: {Spoof: true},
	Ambiguous: {Spoof: true, Money: "0.01"}, Minted: {Spoof: true},
	OtherAmount: {Money: "0.01"}, SecondTrade: {Delay: 2 * time.Second}, Reused: {Delay: 2 * time.Second},
	QueryMissing: {Query: true, Copies: 2}, QueryUnsigned: {Query: true, Copies: 2}, QueryForged: {Query: true, Copies: 2},
	Purged: {Query: true},
})

// CallbackClasses lists the classes that act on callbacks.
func CallbackClasses() []Class {
	return []Class{
		Lost, NoRetry, Repeated, Double, stage.Twice, Reordered, Concurrent, Late, Slow, ReplyLost, Closed, ExtraField,
		ReturnReplay, Forged, OtherPID, WrongStatus, Ambiguous, Minted, OtherAmount, SecondTrade, Reused,
	}
}

// QueryClasses lists the classes that act on the gateway's answers.
func QueryClasses() []Class {
	return []Class{Query5xx, QueryClosed, QueryHTML, QueryMissing, QuerySlow, QueryUnsigned, QueryForged, Purged}
}

// versionOf is the only version whose orders a class can happen to, or empty
// for all: V1 answers carry no signature that could be wrong.
func versionOf(c Class) Version {
	if c == QueryUnsigned || c == QueryForged {
		return V2
	}
	return ""
}

// fits reports whether the fault can happen to an order of its version.
func fits(f Fault, o *order) bool {
	v := versionOf(f.Class)
	return v == "" || v == o.version
}
