package domain

import "time"

// PeopleStream holds the keys with which people sign their approvals.
const PeopleStream Stream = "people"

// KeyProposed says that a person wants to sign approvals with a key. Another
// person must confirm that it is theirs.
type KeyProposed struct {
	Fingerprint string    `json:"fingerprint"` // "sha256:" + hex over the DER SubjectPublicKeyInfo
	Person      string    `json:"person"`      // whose key it is
	Public      []byte    `json:"public"`      // Ed25519, 32 bytes
	Obtained    string    `json:"obtained"`    // how we came by it, e.g. "api key 0a1b2c3d4e5f"
	Proof       []byte    `json:"proof"`       // the key's own signature over KeyStatement
	SignedAt    time.Time `json:"signed_at"`   // by the person's clock
}

// KeyAdded is the other person's confirmation: from here on the owner's
// approvals need the key.
type KeyAdded struct {
	Fingerprint string `json:"fingerprint"`
	Person      string `json:"person"`
	By          string `json:"by"`               // who confirmed it; never the owner
	Reason      string `json:"reason,omitempty"` // e.g. how the fingerprint was compared
}

// KeyRetired ends a key, confirmed or not. It only takes: the owner signs again
// once another key is confirmed.
type KeyRetired struct {
	Fingerprint string `json:"fingerprint"`
	Person      string `json:"person"`
	By          string `json:"by"`
	Reason      string `json:"reason"`
}

// Signature is a person's own signature over a statement; see
// ApprovalStatement.
type Signature struct {
	Key      string    `json:"key"`       // its fingerprint
	Value    []byte    `json:"value"`     // Ed25519, 64 bytes
	SignedAt time.Time `json:"signed_at"` // by the person's clock; part of the statement
}

// FactType is TypeKeyProposed.
func (KeyProposed) FactType() string { return TypeKeyProposed }

// FactType is TypeKeyAdded.
func (KeyAdded) FactType() string { return TypeKeyAdded }

// FactType is TypeKeyRetired.
func (KeyRetired) FactType() string { return TypeKeyRetired }

// A key comes and goes once.
func (f KeyProposed) key() string { return f.Fingerprint }
func (f KeyAdded) key() string    { return f.Fingerprint }
func (f KeyRetired) key() string  { return f.Fingerprint }

func (KeyProposed) peoples() {}
func (KeyAdded) peoples()    {}
func (KeyRetired) peoples()  {}
