package main

import (
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"counterfoil/domain"
	"counterfoil/httpapi"
)

func addSignKey(cmd *cobra.Command, file *string) {
	cmd.Flags().StringVar(file, "sign-key", "", "sign with your own key in `FILE`; see keys sign-key")
}

// binding is what ties a signature to one proposal and one person.
type binding struct {
	ledger domain.ID
	stream domain.Stream
	leaf   [32]byte
	person string
}

// signYes signs a person's yes to what is proposed at a path: the statement is
// made here, out of what the API shows, and only the binding is the API's word.
func (p *program) signYes(
	ctx context.Context, c *client, path, file string, statement func(b binding, at time.Time) []byte,
) (*httpapi.Signature, error) {
	private, err := readSignKey(file)
	if err != nil {
		return nil, err
	}
	var parts httpapi.StatementParts
	if err := c.call(ctx, http.MethodGet, path+"/statement", nil, nil, &parts); err != nil {
		return nil, err
	}
	b := binding{stream: domain.Stream(parts.Stream), person: parts.Person}
	if b.ledger, err = domain.ParseID(parts.Ledger); err != nil {
		return nil, fmt.Errorf("the API's statement: %w", err)
	}
	if b.leaf, err = leafOf(parts.Leaf); err != nil {
		return nil, err
	}
	return p.signStatement(private, func(at time.Time) []byte { return statement(b, at) }), nil
}

// leafOf reads the leaf hash in the API's statement.
func leafOf(text string) ([32]byte, error) {
	leaf, err := hex.DecodeString(text)
	if err != nil || len(leaf) != 32 {
		return [32]byte{}, domain.E(domain.KindMismatch, "the API's statement has no leaf hash")
	}
	return [32]byte(leaf), nil
}

// signStatement signs a statement as of now, and shows it.
func (p *program) signStatement(private ed25519.PrivateKey, statement func(at time.Time) []byte) *httpapi.Signature {
	now := domain.Instant(p.clock())
	text := statement(now)
	fmt.Fprintf(p.stderr, "%s", text)
	return &httpapi.Signature{Key: domain.KeyFingerprint(publicOf(private)), Value: hex.EncodeToString(ed25519.Sign(private, text)), SignedAt: now.In(time.UTC)}
}

// signApproval signs the approval of a correction.
func (p *program) signApproval(ctx context.Context, c *client, id, file string) (*httpapi.Signature, error) {
	var shown httpapi.Correction
	path := "/v1/corrections" + (&url.URL{Path: "/" + id}).EscapedPath()
	if err := c.call(ctx, http.MethodGet, path, nil, nil, &shown); err != nil {
		return nil, err
	}
	ask, err := shownAsk(shown)
	if err != nil {
		return nil, err
	}
	return p.signYes(ctx, c, path, file, func(b binding, at time.Time) []byte {
		return domain.ApprovalStatement(b.ledger, b.stream, b.leaf, ask, b.person, at)
	})
}

// shownAsk is a proposal as the API shows it, as far as it is signed.
func shownAsk(c httpapi.Correction) (f domain.CorrectionProposed, err error) {
	if f.Proposal, err = domain.ParseID(c.ID); err != nil {
		return f, err
	}
	if f.Amount, err = shownMoney(c.Amount); err != nil {
		return f, err
	}
	f.Action, f.TradeNo = domain.Action(c.Action), c.TradeNo
	f.Account, f.From = domain.AccountID(c.Account), domain.AccountID(c.From)
	return f, nil
}

func shownMoney(m httpapi.Money) (domain.Money, error) {
	return domain.ParseMoney(m.Amount, domain.Currency(m.Currency))
}

// signOpening signs the approval of an opening balance, whose path ends in its
// id.
func (p *program) signOpening(ctx context.Context, c *client, path, channel, id, file string) (*httpapi.Signature, error) {
	var out struct {
		Openings []httpapi.Opening `json:"openings"`
	}
	if err := c.call(ctx, http.MethodGet, query("/v1/openings", "channel", channel), nil, nil, &out); err != nil {
		return nil, err
	}
	for _, shown := range out.Openings {
		if shown.ID != id {
			continue
		}
		ask, err := shownOpening(shown)
		if err != nil {
			return nil, err
		}
		return p.signYes(ctx, c, path, file, func(b binding, at time.Time) []byte {
			return domain.OpeningStatement(b.ledger, b.leaf, ask, b.person, at)
		})
	}
	return nil, domain.E(domain.KindNotFound, "channel %s shows no opening %s", channel, id)
}

// shownOpening is an opening balance as the API shows it, as far as it is signed.
func shownOpening(o httpapi.Opening) (f domain.OpeningProposed, err error) {
	if f.Proposal, err = domain.ParseID(o.ID); err != nil {
		return f, err
	}
	f.Channel, f.Day, f.Reason = domain.ChannelID(o.Channel), domain.Day(o.Day), o.Reason
	for _, m := range o.Balance {
		amount, err := shownMoney(m)
		if err != nil {
			return f, err
		}
		f.Balance = append(f.Balance, amount)
	}
	for _, w := range o.Wallets {
		amount, err := shownMoney(w.Amount)
		if err != nil {
			return f, err
		}
		f.Wallets = append(f.Wallets, domain.OpeningWallet{Account: domain.AccountID(w.Account), Amount: amount})
	}
	return f, nil
}

// signPolicy signs the approval of a looser policy, whose path ends in its id.
func (p *program) signPolicy(ctx context.Context, c *client, path, id, file string) (*httpapi.Signature, error) {
	var out struct {
		Changes []httpapi.PolicyChange `json:"changes"`
	}
	if err := c.call(ctx, http.MethodGet, "/v1/config", nil, nil, &out); err != nil {
		return nil, err
	}
	for _, shown := range out.Changes {
		if shown.ID != id {
			continue
		}
		ask := domain.ConfigProposed{
			Channel: domain.ChannelID(shown.Channel), Base: shown.Base, Hash: shown.Hash, Loosens: shown.Loosens, Differences: shown.Differences,
		}
		var err error
		if ask.Proposal, err = domain.ParseID(shown.ID); err != nil {
			return nil, err
		}
		return p.signYes(ctx, c, path, file, func(b binding, at time.Time) []byte {
			return domain.PolicyStatement(b.ledger, b.leaf, ask, b.person, at)
		})
	}
	return nil, domain.E(domain.KindNotFound, "no settings wait under the id %s", id)
}
