package httpapi

import (
	"cmp"
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/ledger"
	"counterfoil/operations"
	"counterfoil/projections"
)

// Correction is what a person proposed about an order's money.
type Correction struct {
	ID          string              `json:"id" doc:"Names the proposal"`
	Channel     string              `json:"channel" doc:"Channel id"`
	OrderNo     string              `json:"order_no" doc:"The merchant's order number"`
	Action      string              `json:"action" doc:"allocate, credit, reverse, move or write_off"`
	TradeNo     string              `json:"trade_no" doc:"The money it is about"`
	Account     string              `json:"account,omitempty" doc:"Who gets the money, or loses it when it is reversed"`
	From        string              `json:"from,omitempty" doc:"Who loses it, with move"`
	Amount      Money               `json:"amount" doc:"How much"`
	Discrepancy string              `json:"discrepancy,omitempty" doc:"The difference it repairs"`
	ValueDate   string              `json:"value_date,omitempty" doc:"The day to book it on; absent for that of the approval"`
	Reason      string              `json:"reason" doc:"Why, in the proposer's words"`
	State       string              `json:"state" doc:"proposed, issued or rejected"`
	ProposedBy  string              `json:"proposed_by" doc:"The person who asks, or with by_run the comparison with a bill"`
	ByRun       bool                `json:"by_run" doc:"A run proposed it, which is nobody's word: it takes two persons' yes"`
	ProposedAt  time.Time           `json:"proposed_at" doc:"When"`
	SecondedBy  string              `json:"seconded_by,omitempty" doc:"Who said the first yes to a run's proposal"`
	DecidedBy   string              `json:"decided_by,omitempty" doc:"The other person, who approved or rejected it"`
	DecidedAt   *time.Time          `json:"decided_at,omitempty" doc:"When"`
	Decision    string              `json:"decision,omitempty" doc:"Why, in that person's words"`
	Position    eventstore.Position `json:"position" doc:"Place of the proposal in the log"`
}

type proposeInput struct {
	Body struct {
		Channel     string `json:"channel" doc:"Channel id"`
		OrderNo     string `json:"order_no" minLength:"1" maxLength:"1024" doc:"The merchant's order number"`
		Action      string `json:"action" enum:"allocate,credit,reverse,move,write_off" doc:"allocate: parked money to an account; credit: the order, without the provider's word, also rightly after a wrong credit was reversed; reverse: take a credit or allocation back; move: credited money to another account; write_off: parked money nobody claims"`
		TradeNo     string `json:"trade_no" minLength:"1" maxLength:"1024" doc:"The money it is about"`
		Account     string `json:"account,omitempty" doc:"Who gets it: with allocate and move, and with the credit of an order nobody placed; left out after a reversal: as it was"`
		Amount      *Money `json:"amount,omitempty" doc:"With the credit of an order nobody placed; left out after a reversal: as it was. What the provider said of this money it must be"`
		Discrepancy string `json:"discrepancy,omitempty" doc:"Id of the difference it repairs"`
		ValueDate   string `json:"value_date,omitempty" doc:"The day to book it on, YYYY-MM-DD, in a period that is open; that of the approval when left out"`
		Reason      string `json:"reason" minLength:"1" maxLength:"2000" doc:"Why, for the one who approves and for auditors"`
	}
}

type decideInput struct {
	ID   string `path:"id" doc:"Id of the correction"`
	Body struct {
		Reason string `json:"reason,omitempty" maxLength:"2000" doc:"Why; a rejection needs it"`
	}
}

type correctionInput struct {
	ID string `path:"id" doc:"Id of the correction"`
}

type correctionOutput struct{ Body Correction }

type listCorrectionsInput struct {
	Channel string `query:"channel" doc:"Only of this channel"`
	State   string `query:"state" enum:"proposed,issued,rejected" doc:"Only in this state"`
	Cursor  string `query:"cursor" doc:"next_cursor of the page before"`
	Limit   int    `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"Most rows on a page"`
}

type listCorrectionsOutput struct {
	Body struct {
		Corrections []Correction `json:"corrections" doc:"Newest first"`
		NextCursor  string       `json:"next_cursor,omitempty" doc:"Where the next page begins"`
		HasMore     bool         `json:"has_more" doc:"There are older ones"`
	}
}

func (s *Server) registerCorrections(api huma.API) {
	operation(s, api, huma.Operation{
		OperationID: "propose-correction", Method: http.MethodPost, Path: "/v1/corrections", Summary: "Propose a correction",
		Description: "Asks for a second person's approval. It is held against the books and the channel's limits at once and " +
			"moves no money. Proposing the same again changes nothing.",
		DefaultStatus: http.StatusCreated, Errors: []int{http.StatusNotFound, http.StatusConflict},
	}, operations.ScopeCorrections, s.propose)
	operation(s, api, huma.Operation{
		OperationID: "list-corrections", Method: http.MethodGet, Path: "/v1/corrections", Summary: "List corrections",
		Description: "What people proposed, and what became of it. Newest first.",
	}, operations.ScopeCorrections, s.listCorrections)
	operation(s, api, huma.Operation{
		OperationID: "show-correction", Method: http.MethodGet, Path: "/v1/corrections/{id}", Summary: "Show a correction",
		Description: "Who proposed what and why, and who decided.", Errors: []int{http.StatusNotFound},
	}, operations.ScopeCorrections, s.showCorrection)
	operation(s, api, huma.Operation{
		OperationID: "approve-correction", Method: http.MethodPost, Path: "/v1/corrections/{id}/approve", Summary: "Approve a correction",
		Description: "The second person's yes: the money moves now. It must be another person than the proposer, and no service's " +
			"key; what the books no longer allow is a conflict. What a run proposed takes two persons: the first yes seconds it " +
			"and moves nothing. Approving again changes nothing.",
		Errors: []int{http.StatusNotFound, http.StatusConflict},
	}, operations.ScopeCorrections, s.approve)
	operation(s, api, huma.Operation{
		OperationID: "reject-correction", Method: http.MethodPost, Path: "/v1/corrections/{id}/reject", Summary: "Reject a correction",
		Description: "Ends a proposal: the second person's no, or the proposer's own withdrawal.",
		Errors:      []int{http.StatusNotFound, http.StatusConflict},
	}, operations.ScopeCorrections, s.reject)
}

// person is who acts with the request's key: a service's key decides nothing.
func person(ctx context.Context) (string, ledger.By, error) {
	key := keyOf(ctx)
	if key.Service || key.Person == "" {
		return "", ledger.By{}, domain.E(domain.KindDenied, "corrections are people's: this is a service's key")
	}
	return key.Person, ledger.By{Actor: "person:" + key.Person, Cause: requestID(ctx)}, nil
}

func (s *Server) propose(ctx context.Context, in *proposeInput) (*correctionOutput, error) {
	who, by, err := person(ctx)
	if err != nil {
		return nil, err
	}
	ch, q, err := s.correction(ctx, in)
	if err != nil {
		return nil, err
	}
	q.By = who
	if err := s.differenceOf(ctx, ch, q); err != nil {
		return nil, err
	}
	p, r, err := s.Ledger.Propose(ctx, ch, in.Body.OrderNo, q, s.spending(ch, in.Body.OrderNo, q, proposedBy(who)), by)
	if err != nil {
		return nil, err
	}
	if r.Position > 0 {
		if err := s.Rows.Wait(ctx, r.Position); err != nil {
			return nil, err
		}
	}
	return s.oneCorrection(ctx, p.ID())
}

// correction is what a request asks for, if its key may.
func (s *Server) correction(ctx context.Context, in *proposeInput) (ch domain.ChannelID, q domain.Correction, err error) {
	b := in.Body
	if ch, _, err = s.allowedChannel(keyOf(ctx), b.Channel); err != nil {
		return ch, q, err
	}
	if err := allowBooks(keyOf(ctx), ch); err != nil {
		return ch, q, err
	}
	q = domain.Correction{Action: domain.Action(b.Action), TradeNo: b.TradeNo, Account: domain.AccountID(b.Account), Reason: b.Reason}
	if b.Discrepancy != "" {
		if q.Discrepancy, err = domain.ParseID(b.Discrepancy); err != nil {
			return ch, q, inField("discrepancy", err)
		}
	}
	q.ValueDate = domain.Day(b.ValueDate)
	if b.Amount != nil {
		if q.Amount, err = domain.ParseMoney(b.Amount.Amount, domain.Currency(b.Amount.Currency)); err != nil {
			return ch, q, inField("amount", err)
		}
	}
	return ch, q, nil
}

// decide finds a correction and lets a person decide on it. Decisions of one
// channel come one after the other, so that none of them misses what another
// one adds to the day's sums.
func (s *Server) decide(
	ctx context.Context, in *decideInput,
	do func(c projections.Correction, who string, by ledger.By) (ledger.Result, error),
) (*correctionOutput, error) {
	who, by, err := person(ctx)
	if err != nil {
		return nil, err
	}
	c, err := s.allowedCorrection(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	release, err := s.turn(ctx, c.Channel)
	if err != nil {
		return nil, err
	}
	defer release()
	r, err := do(c, who, by)
	if err != nil {
		return nil, err
	}
	if r.Position > 0 {
		if err := s.Rows.Wait(ctx, r.Position); err != nil {
			return nil, err
		}
	}
	return s.oneCorrection(ctx, c.Ask.Proposal)
}

// decideWithin is how long a decision waits for others on its channel.
const decideWithin = 3 * time.Second

// turn waits until nobody else decides on corrections of a channel.
func (s *Server) turn(ctx context.Context, ch domain.ChannelID) (release func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, decideWithin)
	defer cancel()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		lease, err := s.Ops.Acquire(ctx, "corrections:"+string(ch), requestID(ctx), s.Clock(), 5*decideWithin)
		if err == nil {
			return func() { _ = s.Ops.Release(context.WithoutCancel(ctx), lease) }, nil // it lapses by itself
		}
		if domain.KindOf(err) != domain.KindConflict {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, domain.E(domain.KindUnavailable, "others decide on corrections of channel %s: try again", ch)
		case <-again.C:
		}
	}
}

func (s *Server) approve(ctx context.Context, in *approveInput) (*correctionOutput, error) {
	sig, err := in.Body.Signature.domain()
	if err != nil {
		return nil, err
	}
	return s.decide(ctx, &decideInput{ID: in.ID}, func(c projections.Correction, who string, by ledger.By) (ledger.Result, error) {
		r, err := s.Ledger.ApproveSigned(ctx, c.Channel, c.OrderNo, c.Ask.Proposal, who, in.Body.Reason, sig,
			s.spending(c.Channel, c.OrderNo, c.Ask.Correction(), s.proposerOf(c.Ask.Proposal, who)), by)
		if err == nil && len(r.Verdict.Facts) > 0 {
			err = s.repaired(ctx, c, who, r)
		}
		return r, err
	})
}

// differenceOf sees that a correction repairs a difference of its own money.
func (s *Server) differenceOf(ctx context.Context, ch domain.ChannelID, q domain.Correction) error {
	if q.Discrepancy.IsZero() {
		return nil
	}
	d, err := s.Bills.Discrepancy(ctx, q.Discrepancy)
	switch {
	case err != nil:
		return inField("discrepancy", err)
	case d.Channel != ch || d.Item.TradeNo != "" && d.Item.TradeNo != q.TradeNo:
		return domain.EField(domain.KindMismatch, "discrepancy", "%s is about trade %.60q of channel %s", d.ID, d.Item.TradeNo, d.Channel)
	}
	return nil
}

// repaired sets the difference aside that an issued correction names.
func (s *Server) repaired(ctx context.Context, c projections.Correction, who string, r ledger.Result) error {
	if _, issued := r.Verdict.Facts[0].(domain.CorrectionApproved); !issued || c.Ask.Discrepancy.IsZero() {
		return nil
	}
	d, err := s.Bills.Discrepancy(ctx, c.Ask.Discrepancy)
	if err != nil || d.State != operations.DiscrepancyOpen {
		return err
	}
	q, _ := r.Payment.Proposal(c.Ask.Proposal)
	return s.corrected(ctx, d, c.Ask.Proposal, q.Proposer(), who)
}

func (s *Server) reject(ctx context.Context, in *decideInput) (*correctionOutput, error) {
	return s.decide(ctx, in, func(c projections.Correction, who string, by ledger.By) (ledger.Result, error) {
		return s.Ledger.Reject(ctx, c.Channel, c.OrderNo, c.Ask.Proposal, who, in.Body.Reason, by)
	})
}

// proposer is the person against whose limit a correction counts.
type proposer func(ctx context.Context) (string, error)

func proposedBy(who string) proposer {
	return func(context.Context) (string, error) { return who, nil }
}

// proposerOf is the person behind a proposal when it is decided on: somebody may
// have seconded a run's since it was shown. Where nobody has, it is who, whose
// yes makes it theirs.
func (s *Server) proposerOf(proposal domain.ID, who string) proposer {
	return func(ctx context.Context) (string, error) {
		c, err := s.Rows.Correction(ctx, proposal)
		return cmp.Or(c.Proposer(), who), err
	}
}

// spending adds up what was approved today, in the channel's zone, of what one
// person proposed, looks for the money in the books of other orders and at the
// difference that is to be repaired. It waits until the rows have all that the
// log holds.
func (s *Server) spending(ch domain.ChannelID, orderNo string, q domain.Correction, of proposer) ledger.Spending {
	return func(ctx context.Context) (sum domain.Spent, err error) {
		head, err := s.Log.Head(ctx)
		if err == nil {
			err = s.Rows.Wait(ctx, head)
		}
		if err != nil {
			return sum, err
		}
		zone, err := time.LoadLocation(s.Channels[ch].Config().Zone)
		if err != nil {
			return sum, err
		}
		rows, err := s.Rows.ApprovedSince(ctx, ch, domain.DayOf(s.Clock(), zone).Start(zone))
		if err != nil {
			return sum, err
		}
		who, err := of(ctx)
		if err != nil {
			return sum, err
		}
		sum.Accounts = make(map[domain.AccountID]domain.Totals)
		for _, r := range rows {
			if err := spend(&sum, r, who); err != nil {
				return sum, err
			}
		}
		if sum.Elsewhere, err = s.elsewhere(ctx, ch, orderNo, q.TradeNo); err != nil || q.Discrepancy.IsZero() {
			return sum, err
		}
		d, err := s.Bills.Discrepancy(ctx, q.Discrepancy)
		if err == nil && d.State == operations.DiscrepancyResolved {
			sum.Resolved = d.Resolution
		}
		return sum, err
	}
}

// elsewhere is another order in whose books the money under a trade number
// stands: credited, allocated, parked or written off. What was taken back stands
// nowhere.
func (s *Server) elsewhere(ctx context.Context, ch domain.ChannelID, orderNo, tradeNo string) (string, error) {
	orders, err := s.Rows.OrdersOf(ctx, ch, tradeNo)
	if err != nil {
		return "", err
	}
	for _, other := range orders {
		if other == orderNo {
			continue
		}
		v, err := s.Ledger.PaymentOf(ctx, ch, other, tradeNo)
		if err != nil {
			return "", err
		}
		if t, _ := v.Payment.Trade(tradeNo); t.State.Decided() && t.State != domain.TradeReversed {
			return cmp.Or(other, "(none)"), nil
		}
	}
	return "", nil
}

func spend(sum *domain.Spent, r projections.Correction, proposer string) error {
	f := r.Ask
	if r.Proposer() == proposer {
		if err := sum.Person.Add(f.Amount); err != nil {
			return err
		}
	}
	for _, a := range []domain.AccountID{f.Account, f.From} {
		of := sum.Accounts[a]
		if err := of.Add(f.Amount); err != nil {
			return err
		}
		sum.Accounts[a] = of
	}
	return nil
}

// allowedCorrection reads a correction, if the key may see it.
func (s *Server) allowedCorrection(ctx context.Context, text string) (projections.Correction, error) {
	id, err := domain.ParseID(text)
	if err != nil {
		return projections.Correction{}, inField("id", err)
	}
	c, err := s.Rows.Correction(ctx, id)
	if err != nil {
		return c, err
	}
	return c, allowBooks(keyOf(ctx), c.Channel)
}

func (s *Server) showCorrection(ctx context.Context, in *correctionInput) (*correctionOutput, error) {
	c, err := s.allowedCorrection(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return &correctionOutput{Body: correctionRow(c)}, nil
}

func (s *Server) oneCorrection(ctx context.Context, id domain.ID) (*correctionOutput, error) {
	c, err := s.Rows.Correction(ctx, id)
	if err != nil {
		return nil, err
	}
	return &correctionOutput{Body: correctionRow(c)}, nil
}

func (s *Server) listCorrections(ctx context.Context, in *listCorrectionsInput) (*listCorrectionsOutput, error) {
	if err := allowBooks(keyOf(ctx), domain.ChannelID(in.Channel)); err != nil {
		return nil, err
	}
	before, err := positionCursor(in.Cursor)
	if err != nil {
		return nil, err
	}
	rows, err := s.Rows.Corrections(ctx, projections.CorrectionFilter{
		Channel: domain.ChannelID(in.Channel), State: domain.ProposalState(in.State), Before: before, Limit: in.Limit + 1,
	})
	if err != nil {
		return nil, err
	}
	out := &listCorrectionsOutput{}
	rows, out.Body.NextCursor = page(rows, in.Limit, func(r projections.Correction) string { return r.Position.String() })
	out.Body.HasMore = out.Body.NextCursor != ""
	out.Body.Corrections = rowsOf(rows, correctionRow)
	return out, nil
}

func correctionRow(c projections.Correction) Correction {
	out := Correction{
		ID: c.Ask.Proposal.String(), Channel: string(c.Channel), OrderNo: c.OrderNo, Action: string(c.Ask.Action),
		TradeNo: c.Ask.TradeNo, Account: string(c.Ask.Account), From: string(c.Ask.From), Amount: moneyOf(c.Ask.Amount),
		Reason: c.Ask.Reason, State: string(c.State), ProposedBy: c.Ask.By, ProposedAt: c.ProposedAt, DecidedBy: c.DecidedBy,
		Decision: c.Reason, Position: c.Position, ValueDate: string(c.Ask.ValueDate), ByRun: c.Ask.ByRun, SecondedBy: c.SecondedBy,
	}
	if !c.Ask.Discrepancy.IsZero() {
		out.Discrepancy = c.Ask.Discrepancy.String()
	}
	if !c.DecidedAt.IsZero() {
		out.DecidedAt = &c.DecidedAt
	}
	return out
}
