package domain

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Stored names of what people did, and may do. Never change one.
const (
	TypePersonActed    = "person.acted.v1"
	TypeConfigProposed = "config.proposed.v1"
	TypeConfigApproved = "config.approved.v1"
	TypeConfigRejected = "config.rejected.v1"
	TypeConfigApplied  = "config.applied.v1"
	TypeKeyProposed    = "key.proposed.v1"
	TypeKeyAdded       = "key.added.v1"
	TypeKeyRetired     = "key.retired.v1"
	TypeEvidenceErased = "evidence.erased.v1"
)

// PeopleFact is a fact about what people did or may do: acts, policy, keys,
// erasures. It moves no money and changes no payment.
type PeopleFact interface {
	Fact
	peoples()
}

// ActKind is what a person did.
type ActKind string

// What people do that no other fact tells. Decisions about corrections, policy,
// keys and erasures are facts of their own, and not told twice.
const (
	ActLogin      ActKind = "login"           // a key was used, for the first time on its day (UTC)
	ActKeyMade    ActKind = "api_key_made"    //
	ActKeyRevoked ActKind = "api_key_revoked" //
	ActExport     ActKind = "export"          // books left the system: journals, reports
	ActViewed     ActKind = "evidence_viewed" // a payment was looked at with its evidence
	ActBundle     ActKind = "bundle_made"     // events with their evidence left the system
)

// Act is something a person does, as the caller of ledger.Act tells it. Person,
// Subject, Why and Detail stand in the log for ever: no personal data of buyers
// and no secret belongs there. Remote is personal: it goes into the sealed part.
type Act struct {
	What    ActKind
	Person  string            // who owns the key; on the machine itself, who is logged in
	Key     string            // id of the API key; empty on the machine itself
	From    string            // "api", "cli" or "process"
	Why     string            // in the person's words; may be empty
	Subject string            // what it was done to, e.g. "payment epay-main/A1"
	Detail  map[string]string // more, by name
	Remote  string            // network address it came from; empty for none
}

// PersonActed says that a person did something. Its id is the key of the event:
// random, but for a login, of which there is one for each key and day.
type PersonActed struct {
	Act     ID                `json:"act"`
	What    ActKind           `json:"what"`
	Person  string            `json:"person"`
	Key     string            `json:"key,omitempty"`
	From    string            `json:"from"`              // address, or the machine's user where a command opened files
	Why     string            `json:"why,omitempty"`     // as the person says it
	Subject string            `json:"subject,omitempty"` // what it was done to
	Detail  map[string]string `json:"detail,omitempty"`  // more, by name
}

// FactType is TypePersonActed.
func (PersonActed) FactType() string { return TypePersonActed }
func (f PersonActed) key() string    { return f.Act.String() }
func (PersonActed) peoples()         {}

// ActsStream is the stream of what people did in the month of t (UTC).
func ActsStream(t time.Time) Stream { return Stream("acts-" + t.UTC().Format("2006-01")) }

// LoginID is the id of the one login of a key on the day of t (UTC).
func LoginID(ledger ID, key string, t time.Time) ID {
	return NewV5(ledger, "login", key, t.UTC().Format(time.DateOnly))
}

// maxWords bounds what people may say at once, in bytes.
const maxWords = 2000

// CheckPerson refuses names that cannot be told apart when they are read: empty
// ones, ones with blanks around, control or formatting characters, and ones
// longer than 128 bytes. KindInvalid.
func CheckPerson(name string) error {
	if name == "" || len(name) > 128 || name != strings.TrimSpace(name) || !readable(name) {
		return EField(KindInvalid, "person", "%q is not the name of a person (1 to 128 bytes of readable text)", clipped(name))
	}
	return nil
}

// CheckWords refuses text that is too long or does not read as it is written.
func CheckWords(field, text string) error {
	if len(text) > maxWords || !readable(text) {
		return EField(KindInvalid, field, "must be readable text in one line of at most %d bytes", maxWords)
	}
	return nil
}

func readable(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool {
		return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Zl, r) || unicode.Is(unicode.Zp, r)
	})
}

func clipped(text string) string {
	if len(text) > 40 {
		return text[:40]
	}
	return text
}

// Fact is the fact that a tells of, under its id. KindInvalid for one that does
// not say what was done and by whom.
func (a Act) Fact(id ID) (PersonActed, error) {
	if a.What == "" || a.From == "" {
		return PersonActed{}, E(KindInvalid, "an act needs what was done and from where")
	}
	if err := CheckPerson(a.Person); err != nil {
		return PersonActed{}, err
	}
	for field, text := range map[string]string{"why": a.Why, "subject": a.Subject} {
		if err := CheckWords(field, text); err != nil {
			return PersonActed{}, err
		}
	}
	return PersonActed{
		Act: id, What: a.What, Person: a.Person, Key: a.Key, From: a.From, Why: a.Why, Subject: a.Subject, Detail: a.Detail,
	}, nil
}

// Origin is where an act came from: the personal part of it, which is sealed.
type Origin struct {
	Remote string `json:"remote"`
}

// Encode is the stored form, before it is sealed.
func (o Origin) Encode() ([]byte, error) { return encode(o) }

// DecodeOrigin reads what Encode wrote; anything else is KindCorrupt.
func DecodeOrigin(data []byte) (Origin, error) { return decode[Origin](data) }
