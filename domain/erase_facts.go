package domain

import (
	"strconv"
	"time"
)

// EvidenceErased says that the sealed parts of a payment's events were verified
// once more and that their key is destroyed: bytes and hashes stay, and nobody
// reads them again. What comes later is sealed with another key.
type EvidenceErased struct {
	Generation    int          `json:"generation"`     // which of the stream's keys, from 0
	Through       uint64       `json:"through"`        // revision of the last event it covers
	Parts         []ErasedPart `json:"parts"`          // the sealed parts, by revision
	RetainedUntil time.Time    `json:"retained_until"` // the end of the time in which it had to be kept
	By            string       `json:"by"`
	Reason        string       `json:"reason"`
}

// ErasedPart is one sealed part and what the last verification said of it.
type ErasedPart struct {
	Revision uint64      `json:"revision"`
	Event    ID          `json:"event"`
	Sealed   string      `json:"sealed"`           // hex SHA-256 of the sealed bytes, as in the event's leaf
	SHA256   string      `json:"sha256,omitempty"` // hex, of the evidence that was in it
	Grade    Grade       `json:"grade,omitempty"`  // of that evidence
	Verdict  PartVerdict `json:"verdict"`
	Why      string      `json:"why,omitempty"` // with unverifiable
}

// PartVerdict is what a verification says of a sealed part.
type PartVerdict string

// What a verification says of a sealed part. Evidence that does not verify is
// never erased.
const (
	PartVerified     PartVerdict = "verified"     // hash and the provider's signature
	PartUnverifiable PartVerdict = "unverifiable" // the hash fits; no key for the signature
	PartPersonal     PartVerdict = "personal"     // no evidence: it opened
)

// FactType is TypeEvidenceErased.
func (EvidenceErased) FactType() string { return TypeEvidenceErased }
func (f EvidenceErased) key() string    { return strconv.Itoa(f.Generation) }
func (EvidenceErased) peoples()         {}
