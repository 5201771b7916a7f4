package httpapi

import (
	"context"
	"encoding/hex"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/operations"
	"counterfoil/tamperlog"
)

type inclusionInput struct {
	Event    string `query:"event" doc:"Id of the event; or give position"`
	Position string `query:"position" doc:"Position of the event; or give event"`
	Size     int64  `query:"size" minimum:"0" default:"0" doc:"Prove it in the tree of the first so many events; 0 or absent means the newest signed tree"`
}

type inclusionBody struct {
	Event      string   `json:"event" doc:"Id of the event"`
	Position   string   `json:"position" doc:"Where it stands in the store"`
	Index      int64    `json:"index" doc:"Which leaf it is, from 0"`
	Leaf       string   `json:"leaf" doc:"RFC 6962 leaf hash, hex"`
	Size       int64    `json:"size" doc:"Number of leaves of the tree the path leads through"`
	Root       string   `json:"root" doc:"Root of that tree, hex"`
	Path       []string `json:"path" doc:"RFC 6962 audit path from the leaf to the root, hex"`
	Checkpoint string   `json:"checkpoint" doc:"Newest signed head (C2SP tlog-checkpoint); when size is smaller, a consistency proof ties it to root"`
}

type consistencyInput struct {
	From int64 `query:"from" minimum:"1" required:"true" doc:"Size of the older tree"`
	To   int64 `query:"to" minimum:"0" default:"0" doc:"Size of the newer tree; 0 or absent means the newest signed one"`
}

type consistencyBody struct {
	From       int64    `json:"from" doc:"Size of the older tree"`
	To         int64    `json:"to" doc:"Size of the newer tree"`
	FromRoot   string   `json:"from_root" doc:"Root of the older tree, hex: compare it with the checkpoint you kept"`
	ToRoot     string   `json:"to_root" doc:"Root of the newer tree, hex"`
	Path       []string `json:"path" doc:"RFC 6962 consistency proof, hex"`
	Checkpoint string   `json:"checkpoint" doc:"Newest signed head"`
}

type keyBody struct {
	Origin string `json:"origin" doc:"Name of the log in its checkpoints"`
	Key    string `json:"key" doc:"Public key (C2SP signed-note). Keep your own copy: one that you fetch anew each time proves little"`
}

type (
	inclusionOutput   struct{ Body inclusionBody }
	consistencyOutput struct{ Body consistencyBody }
	keyOutput         struct{ Body keyBody }
)

func (s *Server) registerProofs(api huma.API) {
	operation(s, api, huma.Operation{
		OperationID: "prove-inclusion", Method: http.MethodGet, Path: "/v1/proofs/inclusion",
		Summary: "Prove that an event is in the log",
		Description: "The path of hashes from an event's leaf to the signed root. The leaf is SHA-256 over 0x00 and the length-prefixed " +
			"stream, revision, id, type, data, meta and SHA-256(sealed), all of which GET /v1/events gives. An event is sealed " +
			"within seconds of its append; until then it is not found.",
	}, operations.ScopeEventsRead, s.proveInclusion)
	operation(s, api, huma.Operation{
		OperationID: "prove-consistency", Method: http.MethodGet, Path: "/v1/proofs/consistency",
		Summary:     "Prove that an older tree is the beginning of a newer one",
		Description: "Whoever kept a checkpoint sees with this that nothing below it was changed since.",
	}, operations.ScopeEventsRead, s.proveConsistency)
	operation(s, api, huma.Operation{
		OperationID: "show-tree-key", Method: http.MethodGet, Path: "/v1/proofs/key", Summary: "The public key of the log",
		Description: "With it checkpoints, receipts and bundles are verified.",
	}, operations.ScopeEventsRead, s.showTreeKey)
}

func (s *Server) proveInclusion(ctx context.Context, in *inclusionInput) (*inclusionOutput, error) {
	head, err := s.proofHead(ctx)
	if err != nil {
		return nil, err
	}
	leaf, err := s.leaf(head, in)
	if err != nil {
		return nil, err
	}
	size := uint64(in.Size)
	if size == 0 {
		size = head.Size
	}
	path, err := s.Tree.Inclusion(head.Checkpoint, leaf.Index, size)
	if err != nil {
		return nil, err
	}
	root, err := s.Tree.RootAt(head.Checkpoint, size)
	if err != nil {
		return nil, err
	}
	return &inclusionOutput{Body: inclusionBody{
		Event: leaf.ID.String(), Position: leaf.Position.String(), Index: int64(leaf.Index), Leaf: hex.EncodeToString(leaf.Hash[:]),
		Size: int64(size), Root: hex.EncodeToString(root[:]), Path: hexes(path), Checkpoint: string(head.Note),
	}}, nil
}

// leaf is the leaf that a question means.
func (s *Server) leaf(head tamperlog.Signed, in *inclusionInput) (tamperlog.Leaf, error) {
	switch {
	case (in.Event == "") == (in.Position == ""):
		return tamperlog.Leaf{}, domain.EField(domain.KindInvalid, "event", "name the event by its id or its position, one of both")
	case in.Event != "":
		id, err := domain.ParseID(in.Event)
		if err != nil {
			return tamperlog.Leaf{}, inField("event", err)
		}
		return s.Tree.ByID(id, head.Size)
	}
	p, err := eventstore.ParsePosition(in.Position)
	if err != nil {
		return tamperlog.Leaf{}, inField("position", err)
	}
	return s.Tree.ByPosition(p, head.Size)
}

func (s *Server) proveConsistency(ctx context.Context, in *consistencyInput) (*consistencyOutput, error) {
	head, err := s.proofHead(ctx)
	if err != nil {
		return nil, err
	}
	from, to := uint64(in.From), uint64(in.To)
	if to == 0 {
		to = head.Size
	}
	path, err := s.Tree.Consistency(head.Checkpoint, from, to)
	if err != nil {
		return nil, err
	}
	var roots [2]string
	for i, size := range []uint64{from, to} {
		root, err := s.Tree.RootAt(head.Checkpoint, size)
		if err != nil {
			return nil, err
		}
		roots[i] = hex.EncodeToString(root[:])
	}
	return &consistencyOutput{Body: consistencyBody{
		From: in.From, To: int64(to), FromRoot: roots[0], ToRoot: roots[1], Path: hexes(path), Checkpoint: string(head.Note),
	}}, nil
}

func (s *Server) showTreeKey(ctx context.Context, _ *struct{}) (*keyOutput, error) {
	head, err := s.proofHead(ctx)
	if err != nil {
		return nil, err
	}
	key, err := s.Tree.Key()
	if err != nil {
		return nil, err
	}
	return &keyOutput{Body: keyBody{Origin: head.Origin, Key: key}}, nil
}

// proofHead is the newest signed head, for keys that may read the whole log.
func (s *Server) proofHead(ctx context.Context) (tamperlog.Signed, error) {
	if err := allowAll(keyOf(ctx)); err != nil {
		return tamperlog.Signed{}, err
	}
	return s.treeHead()
}

func hexes(p tamperlog.Proof) []string {
	out := make([]string, len(p))
	for i, h := range p {
		out[i] = hex.EncodeToString(h[:])
	}
	return out
}
