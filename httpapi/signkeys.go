package httpapi

import (
	"context"
	"encoding/hex"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"counterfoil/domain"
	"counterfoil/ledger"
	"counterfoil/operations"
)

// SignKey is a key with which a person signs approvals.
type SignKey struct {
	Fingerprint string    `json:"fingerprint" doc:"sha256: and the hex over the DER SubjectPublicKeyInfo"`
	Person      string    `json:"person" doc:"Whose it is"`
	State       string    `json:"state" doc:"proposed, in_use or retired"`
	Public      string    `json:"public" doc:"The Ed25519 public key, 32 bytes in hex"`
	Obtained    string    `json:"obtained" doc:"How we came by it"`
	AskedAt     time.Time `json:"asked_at" doc:"When it was proposed"`
	ConfirmedBy string    `json:"confirmed_by,omitempty" doc:"The other person who confirmed it"`
	RetiredBy   string    `json:"retired_by,omitempty" doc:"Who retired it"`
}

type listSignKeysOutput struct {
	Body struct {
		Ledger string    `json:"ledger" doc:"Id of the ledger, part of every statement"`
		Keys   []SignKey `json:"keys" doc:"Oldest first"`
	}
}

type addSignKeyInput struct {
	Body struct {
		Public   string    `json:"public" maxLength:"64" doc:"The Ed25519 public key, 32 bytes in hex"`
		Proof    string    `json:"proof" maxLength:"128" doc:"The key's signature over the statement that it is yours, in hex"`
		SignedAt time.Time `json:"signed_at" doc:"As in that statement"`
	}
}

type decideSignKeyInput struct {
	Fingerprint string `path:"fingerprint" doc:"Names the key"`
	Body        struct {
		Reason string `json:"reason,omitempty" maxLength:"2000" doc:"Why, e.g. how the fingerprint was compared; retiring needs it"`
	}
}

type signKeyOutput struct{ Body SignKey }

// Signature is a person's own signature.
type Signature struct {
	Key      string    `json:"key" doc:"Fingerprint of the person's key"`
	Value    string    `json:"value" maxLength:"128" doc:"Ed25519 over the statement, 64 bytes in hex"`
	SignedAt time.Time `json:"signed_at" doc:"As in the statement"`
}

type approveInput struct {
	ID   string `path:"id" doc:"Id of the correction"`
	Body struct {
		Reason    string     `json:"reason,omitempty" maxLength:"2000" doc:"Why"`
		Signature *Signature `json:"signature,omitempty" doc:"With your own key; without one the approval is your API key's word, and refused if you have a key"`
	}
}

// domain is s as a fact tells it; nil for none.
func (s *Signature) domain() (*domain.Signature, error) {
	if s == nil {
		return nil, nil //nolint:nilnil // unsigned
	}
	if !s.SignedAt.Equal(domain.Instant(s.SignedAt)) {
		return nil, domain.EField(domain.KindInvalid, "signature.signed_at", "must have microseconds at most")
	}
	value, err := hex.DecodeString(s.Value)
	if err != nil {
		return nil, domain.EField(domain.KindInvalid, "signature.value", "is not hex")
	}
	return &domain.Signature{Key: s.Key, Value: value, SignedAt: domain.Instant(s.SignedAt)}, nil
}

// StatementParts is what binds an approval to the proposal's bytes: of a
// correction, an opening balance or a looser policy.
type StatementParts struct {
	Ledger string `json:"ledger" doc:"Id of the ledger"`
	Stream string `json:"stream" doc:"Stream of the proposal"`
	Leaf   string `json:"leaf" doc:"Leaf hash of the proposal's event, hex"`
	Person string `json:"person" doc:"Who you are here"`
}

type statementOutput struct{ Body StatementParts }

func (s *Server) registerSignKeys(api huma.API) {
	operation(s, api, huma.Operation{
		OperationID: "list-sign-keys", Method: http.MethodGet, Path: "/v1/sign-keys", Summary: "List people's own keys",
		Description: "The Ed25519 keys with which people sign approvals, and who confirmed them.",
	}, operations.ScopeCorrections, s.listSignKeys)
	operation(s, api, huma.Operation{
		OperationID: "add-sign-key", Method: http.MethodPost, Path: "/v1/sign-keys", Summary: "Propose a key of your own",
		Description: "Its private half stays with you. Another person must confirm it; from then on your approvals must be signed with it.",
		Errors:      []int{http.StatusConflict}, DefaultStatus: http.StatusCreated,
	}, operations.ScopeCorrections, s.addSignKey)
	operation(s, api, huma.Operation{
		OperationID: "confirm-sign-key", Method: http.MethodPost, Path: "/v1/sign-keys/{fingerprint}/confirm", Summary: "Confirm another person's key",
		Description: "Compare the fingerprint with its owner first, by voice or in person.", Errors: []int{http.StatusNotFound, http.StatusConflict},
	}, operations.ScopeCorrections, s.confirmSignKey)
	operation(s, api, huma.Operation{
		OperationID: "retire-sign-key", Method: http.MethodPost, Path: "/v1/sign-keys/{fingerprint}/retire", Summary: "Retire a key",
		Description: "For ever. Its owner approves nothing until another key of theirs is confirmed.", Errors: []int{http.StatusNotFound},
	}, operations.ScopeCorrections, s.retireSignKey)
	operation(s, api, huma.Operation{
		OperationID: "correction-statement", Method: http.MethodGet, Path: "/v1/corrections/{id}/statement", Summary: "What an approval signs",
		Description: "The parts of the statement that the correction itself does not show. Make the statement yourself, out of what you saw and approve.",
		Errors:      []int{http.StatusNotFound},
	}, operations.ScopeCorrections, s.statement)
}

func (s *Server) listSignKeys(ctx context.Context, _ *struct{}) (*listSignKeysOutput, error) {
	people, err := s.Ledger.People(ctx)
	if err != nil {
		return nil, err
	}
	out := &listSignKeysOutput{}
	out.Body.Ledger = s.Ledger.ID().String()
	out.Body.Keys = make([]SignKey, len(people.Keys))
	for i, k := range people.Keys {
		out.Body.Keys[i] = signKey(k)
	}
	return out, nil
}

func signKey(k domain.PersonKey) SignKey {
	state := "proposed"
	switch {
	case k.Retired != "":
		state = "retired"
	case k.Confirmed != "":
		state = "in_use"
	}
	return SignKey{
		Fingerprint: k.Fingerprint, Person: k.Person, State: state, Public: hex.EncodeToString(k.Public), Obtained: k.Obtained, AskedAt: k.AskedAt,
		ConfirmedBy: k.Confirmed, RetiredBy: k.Retired,
	}
}

func (s *Server) addSignKey(ctx context.Context, in *addSignKeyInput) (*signKeyOutput, error) {
	who, by, err := person(ctx)
	if err != nil {
		return nil, err
	}
	b := in.Body
	public, err := hex.DecodeString(b.Public)
	if err != nil {
		return nil, domain.EField(domain.KindInvalid, "public", "is not hex")
	}
	proof, err := hex.DecodeString(b.Proof)
	if err != nil {
		return nil, domain.EField(domain.KindInvalid, "proof", "is not hex")
	}
	f := domain.KeyProposed{
		Fingerprint: domain.KeyFingerprint(public), Person: who, Public: public, Obtained: "api key " + keyOf(ctx).ID,
		Proof: proof, SignedAt: domain.Instant(b.SignedAt),
	}
	return s.oneSignKey(ctx, f.Fingerprint, s.Ledger.ProposeKey(ctx, f, by))
}

func (s *Server) confirmSignKey(ctx context.Context, in *decideSignKeyInput) (*signKeyOutput, error) {
	return s.decideSignKey(ctx, in, s.Ledger.ConfirmKey)
}

func (s *Server) retireSignKey(ctx context.Context, in *decideSignKeyInput) (*signKeyOutput, error) {
	return s.decideSignKey(ctx, in, s.Ledger.RetireKey)
}

func (s *Server) decideSignKey(
	ctx context.Context, in *decideSignKeyInput, do func(ctx context.Context, fingerprint, person, reason string, by ledger.By) error,
) (*signKeyOutput, error) {
	who, by, err := person(ctx)
	if err != nil {
		return nil, err
	}
	return s.oneSignKey(ctx, in.Fingerprint, do(ctx, in.Fingerprint, who, in.Body.Reason, by))
}

func (s *Server) oneSignKey(ctx context.Context, fingerprint string, err error) (*signKeyOutput, error) {
	if err != nil {
		return nil, err
	}
	people, err := s.Ledger.People(ctx)
	k, _ := people.Key(fingerprint)
	return &signKeyOutput{Body: signKey(k)}, err
}

func (s *Server) statement(ctx context.Context, in *correctionInput) (*statementOutput, error) {
	who, _, err := person(ctx)
	if err != nil {
		return nil, err
	}
	c, err := s.allowedCorrection(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	stream := domain.PaymentStreamRaw(c.Channel, c.OrderNo)
	_, leaf, err := s.Ledger.Proposed(ctx, stream, c.Ask.Proposal)
	if err != nil {
		return nil, err
	}
	return s.parts(stream, leaf, who), nil
}

// parts is what a person who approves the proposal of a leaf hash is told.
func (s *Server) parts(stream domain.Stream, leaf [32]byte, who string) *statementOutput {
	return &statementOutput{Body: StatementParts{
		Ledger: s.Ledger.ID().String(), Stream: string(stream), Leaf: hex.EncodeToString(leaf[:]), Person: who,
	}}
}
