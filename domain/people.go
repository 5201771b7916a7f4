package domain

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"time"
)

// PersonKey is a key a person signs with, and where it stands.
type PersonKey struct {
	KeyProposed
	Confirmed string // by whom; empty while nobody did
	Retired   string // by whom; empty while it is in use
	AskedAt   time.Time
}

// People is the fold of PeopleStream. The zero People is the empty stream; a
// People is a value.
type People struct{ Keys []PersonKey }

// Apply is p after f, recorded at a time; other facts change nothing.
func (p People) Apply(f Fact, at time.Time) People {
	with := func(fingerprint string, change func(*PersonKey)) People {
		keys := slices.Clone(p.Keys)
		for i := range keys {
			if keys[i].Fingerprint == fingerprint {
				change(&keys[i])
			}
		}
		return People{keys}
	}
	switch f := f.(type) {
	case KeyProposed:
		return People{append(slices.Clip(p.Keys), PersonKey{KeyProposed: f, AskedAt: at})}
	case KeyAdded:
		return with(f.Fingerprint, func(k *PersonKey) { k.Confirmed = f.By })
	case KeyRetired:
		return with(f.Fingerprint, func(k *PersonKey) { k.Retired = f.By })
	default:
		return p
	}
}

// Key is a key by its fingerprint.
func (p People) Key(fingerprint string) (PersonKey, bool) {
	i := slices.IndexFunc(p.Keys, func(k PersonKey) bool { return k.Fingerprint == fingerprint })
	if i < 0 {
		return PersonKey{}, false
	}
	return p.Keys[i], true
}

// Signs reports whether a person has ever had a confirmed key: their approvals
// must be signed from then on, also when it is retired.
func (p People) Signs(person string) bool {
	return slices.ContainsFunc(p.Keys, func(k PersonKey) bool { return k.Person == person && k.Confirmed != "" })
}

// Propose is a person's wish to sign with a key, proved by the key itself.
// Proposing the same again is no facts.
func (p People) Propose(ledger ID, f KeyProposed) ([]Fact, error) {
	if err := CheckPerson(f.Person); err != nil {
		return nil, err
	}
	if len(f.Public) != ed25519.PublicKeySize || f.Fingerprint != KeyFingerprint(f.Public) {
		return nil, EField(KindInvalid, "public", "must be an Ed25519 public key of 32 bytes, under its own fingerprint")
	}
	if !ed25519.Verify(f.Public, KeyStatement(ledger, f.Person, f.Fingerprint, f.SignedAt), f.Proof) {
		return nil, EField(KindForged, "proof", "the key did not sign that it is %s's", f.Person)
	}
	if k, ok := p.Key(f.Fingerprint); ok && k.Person == f.Person && k.Retired == "" {
		return nil, nil
	} else if ok {
		return nil, E(KindConflict, "this key was proposed before, and is another person's or retired: make a new one")
	}
	return []Fact{f}, nil
}

// Confirm is another person's word that a key is its owner's.
func (p People) Confirm(fingerprint, person, reason string) ([]Fact, error) {
	k, err := p.decided(fingerprint, person, reason)
	switch {
	case err != nil:
		return nil, err
	case k.Retired != "":
		return nil, E(KindConflict, "the key is retired")
	case k.Person == person:
		return nil, E(KindDenied, "%s's key takes another person to confirm it", person)
	case k.Confirmed != "":
		return nil, nil
	}
	return []Fact{KeyAdded{Fingerprint: fingerprint, Person: k.Person, By: person, Reason: reason}}, nil
}

// Retire ends a key: its owner's word, or another person's. It takes a reason.
func (p People) Retire(fingerprint, person, reason string) ([]Fact, error) {
	k, err := p.decided(fingerprint, person, reason)
	switch {
	case err != nil:
		return nil, err
	case reason == "":
		return nil, EField(KindInvalid, "reason", "retiring a key needs its reason")
	case k.Retired != "":
		return nil, nil
	}
	return []Fact{KeyRetired{Fingerprint: fingerprint, Person: k.Person, By: person, Reason: reason}}, nil
}

func (p People) decided(fingerprint, person, reason string) (PersonKey, error) {
	if err := CheckPerson(person); err != nil {
		return PersonKey{}, err
	}
	if err := CheckWords("reason", reason); err != nil {
		return PersonKey{}, err
	}
	k, ok := p.Key(fingerprint)
	if !ok {
		return k, E(KindNotFound, "there is no key %.80q", fingerprint)
	}
	return k, nil
}

// spki begins the DER SubjectPublicKeyInfo of every Ed25519 key (RFC 8410).
var spki = []byte{0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00}

// KeyFingerprint names an Ed25519 public key: "sha256:" and the hex over its DER
// SubjectPublicKeyInfo.
func KeyFingerprint(public []byte) string {
	sum := sha256.Sum256(append(slices.Clone(spki), public...))
	return "sha256:" + hex.EncodeToString(sum[:])
}
