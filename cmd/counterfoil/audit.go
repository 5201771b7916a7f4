package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"counterfoil/audit"
	"counterfoil/domain"
	"counterfoil/internal/assembly"
	"counterfoil/internal/config"
	"counterfoil/providers"
	"counterfoil/tamperlog"
)

func newAuditCommand(p *program) *cobra.Command {
	return group("audit", "Hand out proof: bundles for auditors, receipts for buyers, what changed when",
		newBundleCommand(p), newReceiptCommand(p), newCheckReceiptCommand(p), newDiffCommand(p))
}

// bundleFlags are the flags of `audit bundle`.
type bundleFlags struct {
	payment, account, period, file, why string
	personal, secrets                   bool
}

func newBundleCommand(p *program) *cobra.Command {
	var f bundleFlags
	cmd := &cobra.Command{
		Use: "bundle (--payment CHANNEL/ORDER | --account ACCOUNT | --period YYYY-MM) --file FILE", Short: "Write everything about a payment, an account or a month into one file",
		Long: `Writes one zip file: events as they are stored, evidence sealed and opened, proofs,
the signed head, public keys, a manifest and summary.html, a page to read and
print. It is verified on a machine that has nothing else:

  counterfoil verify FILE --key LOG_PUBLIC_KEY

or without this program, see docs/verify-by-hand.md. The settings and policies of
each channel in it come with it, with who agreed to them. Personal fields of
placed payments (buyer, subject) stay sealed unless --personal is given; callbacks
are evidence and are opened, unless they were erased. An opening balance is one
event for all the accounts it was booked for: the bundle of one shows them all.

WeChat Pay signs what it has encrypted: a stranger proves its signature, and reads
what was signed only with the APIv3 key. --with-secrets puts that key into the
bundle. It signs nothing, but whoever has it can read every callback of the
channel that they get hold of: hand such a bundle to nobody who should not.`,
		Example: `  counterfoil audit bundle --dir /srv/pay --payment epay-main/USR1NO0001 -o USR1NO0001.zip
  counterfoil audit bundle --dir /srv/pay --period 2026-11 -o 2026-11.zip`,
		Args: cobra.NoArgs,
		RunE: p.begin(func(ctx context.Context, _ []string) error { return p.bundle(ctx, f) }),
	}
	fl := cmd.Flags()
	fl.StringVar(&f.payment, "payment", "", "one payment: `CHANNEL/ORDER`")
	fl.StringVar(&f.account, "account", "", "every payment of an `ACCOUNT`, what it had before these books, and what it spent")
	fl.StringVar(&f.period, "period", "", "every payment and opening balance with money in a `MONTH`, e.g. 2026-11")
	fl.StringVarP(&f.file, "file", "o", "", "`FILE` to write; an existing one is left alone")
	fl.BoolVar(&f.personal, "personal", false, "open the personal fields of placed payments, too")
	fl.BoolVar(&f.secrets, "with-secrets", false, "put in the keys that open WeChat Pay's callbacks, in the clear")
	addWhy(cmd, &f.why)
	cmd.MarkFlagsOneRequired("payment", "account", "period")
	cmd.MarkFlagsMutuallyExclusive("payment", "account", "period")
	_ = cmd.MarkFlagRequired("file")
	return cmd
}

func (f bundleFlags) subject() (audit.Subject, error) {
	switch {
	case f.payment != "":
		_, _, err := audit.ParsePaymentSubject(f.payment)
		return audit.Subject{Kind: audit.SubjectPayment, Name: f.payment}, err
	case f.account != "":
		_, err := domain.ParseAccountID(f.account)
		return audit.Subject{Kind: audit.SubjectAccount, Name: f.account}, err
	}
	if len(f.period) != len("2006-01") || f.period[4] != '-' {
		return audit.Subject{}, domain.EField(domain.KindInvalid, "--period", "%q is no month, e.g. 2026-11", f.period)
	}
	return audit.Subject{Kind: audit.SubjectPeriod, Name: f.period}, nil
}

func (p *program) bundle(ctx context.Context, f bundleFlags) (err error) {
	subject, err := f.subject()
	if err != nil {
		return err
	}
	cfg, err := p.load()
	if err != nil {
		return err
	}
	s, err := p.openStores(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	tree, err := p.sealedTree(ctx, cfg, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, tree.Close()) }()
	out, err := os.OpenFile(f.file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return domain.EField(domain.KindInvalid, "--file", "%w", err)
	}
	if err := p.tellTaken(ctx, s.events, s.ledger, taking{domain.ActBundle, subject.Kind + " " + subject.Name, f.why}); err != nil {
		return errors.Join(err, out.Close(), os.Remove(f.file))
	}
	made, err := audit.WriteBundle(ctx, out, audit.BundleDeps{
		Log: s.events, Ledger: s.ledger, Tree: tree, Describe: describe, Software: assembly.Software, Now: p.clock(),
		Secrets: f.readingKeys(cfg),
	}, audit.BundleOptions{Subject: subject, Personal: f.personal})
	if err = errors.Join(err, out.Sync(), out.Close()); err != nil {
		return errors.Join(err, os.Remove(f.file))
	}
	fmt.Fprintf(p.stdout, "%s: %d events, %d of them with opened evidence, under %d signed ones (root %s)\n",
		f.file, made.Events, made.Evidence, made.Size, made.Root)
	if made.Others > 0 {
		fmt.Fprintf(p.stderr, "warning: the file shows opening balances of other accounts, too (%d): they were booked in one with this one's\n", made.Others)
	}
	if f.secrets {
		fmt.Fprintln(p.stderr, "warning: the file may hold APIv3 keys in the clear: give it to nobody who may not read the channel's callbacks")
	}
	return nil
}

// readingKeys are the APIv3 keys of all channels, when they shall go out.
func (f bundleFlags) readingKeys(cfg config.Config) audit.Secrets {
	if !f.secrets {
		return nil
	}
	out := audit.Secrets{}
	for id, ch := range cfg.Channels {
		for _, key := range append([]providers.Secret{ch.APIv3Key}, ch.OldAPIv3Keys...) {
			if !key.IsZero() {
				out[domain.ChannelID(id)] = append(out[domain.ChannelID(id)], key.Reveal())
			}
		}
	}
	return out
}

// sealedTree is the tree with what is in the log signed, as far as no other
// process is at it and it can be written.
func (p *program) sealedTree(ctx context.Context, cfg config.Config, s *stores) (*tamperlog.Folder, error) {
	if assembly.Still(s.events) {
		return tamperlog.OpenFolder(assembly.Path(cfg, assembly.TreeFolder)), nil
	}
	err := assembly.SealNow(ctx, cfg, s.events, p.clock)
	switch domain.KindOf(err) {
	case domain.KindUnavailable: // a reconciler seals: what is signed so far goes out
	case domain.KindCorrupt:
		return nil, broken(err)
	default:
		if err != nil {
			return nil, err
		}
	}
	return tamperlog.OpenFolder(assembly.Path(cfg, assembly.TreeFolder)), nil
}

func newReceiptCommand(p *program) *cobra.Command {
	var channel, order string
	var text bool
	cmd := &cobra.Command{
		Use: "receipt --channel CHANNEL --order ORDER", Short: "Print the proof that a credit is in the log",
		Long: `Prints a receipt for the credit of an order: the event, its path to the signed
root, the signed head. Whoever has the log's public key checks it offline with
"counterfoil audit check-receipt". With --text it is one word of below 2,000
characters, for a QR code.`,
		Example: `  counterfoil audit receipt --dir /srv/pay --channel epay-main --order USR1NO0001 >receipt.json
  counterfoil audit receipt --dir /srv/pay --channel epay-main --order USR1NO0001 --text | qrencode -o receipt.png`,
		Args: cobra.NoArgs,
		RunE: p.begin(func(ctx context.Context, _ []string) error { return p.receipt(ctx, channel, order, text) }),
	}
	cmd.Flags().StringVar(&channel, "channel", "", "`CHANNEL` of the order")
	cmd.Flags().StringVar(&order, "order", "", "the merchant's `NUMBER` of it")
	cmd.Flags().BoolVar(&text, "text", false, "one word for a QR code instead of JSON")
	_ = cmd.MarkFlagRequired("channel")
	_ = cmd.MarkFlagRequired("order")
	return cmd
}

func (p *program) receipt(ctx context.Context, channel, order string, text bool) (err error) {
	ch, no, err := audit.ParsePaymentSubject(channel + "/" + order)
	if err != nil {
		return err
	}
	cfg, err := p.load()
	if err != nil {
		return err
	}
	s, err := p.openStores(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	tree, err := p.sealedTree(ctx, cfg, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, tree.Close()) }()
	r, err := audit.MakeReceipt(ctx, s.events, tree, ch, no)
	if err != nil {
		return err
	}
	if text {
		word, err := r.Text()
		fmt.Fprintln(p.stdout, word)
		return err
	}
	b, err := r.JSON()
	if err != nil {
		return err
	}
	_, err = p.stdout.Write(b)
	return err
}

func newCheckReceiptCommand(p *program) *cobra.Command {
	var keys []string
	cmd := &cobra.Command{
		Use: "check-receipt FILE --key KEY", Short: "Check a receipt, offline",
		Long: `Checks that the event of a receipt, as JSON or as the word of a QR code, is in the
log that the key belongs to, and says what happened. It opens nothing else. What
became of the money later, a refund for instance, no receipt can tell.

Exit status 5: the receipt does not hold, or is of something else than a credit.`,
		Example: "  counterfoil audit check-receipt receipt.json --key pay.key",
		Args:    cobra.ExactArgs(1),
		RunE:    p.begin(func(_ context.Context, args []string) error { return p.checkReceipt(args[0], keys) }),
	}
	cmd.Flags().StringArrayVar(&keys, "key", nil, "public `KEY` of the log, or a file with it, then those of witnesses")
	_ = cmd.MarkFlagRequired("key")
	return cmd
}

func (p *program) checkReceipt(file string, keys []string) error {
	keys, err := readKeys(keys)
	if err != nil {
		return err
	}
	f, err := os.Open(file)
	if err != nil {
		return domain.EField(domain.KindInvalid, "receipt", "%w", err)
	}
	b, err := io.ReadAll(io.LimitReader(f, audit.MaxReceipt+1))
	if err = errors.Join(err, f.Close()); err != nil {
		return domain.EField(domain.KindInvalid, "receipt", "%w", err)
	}
	r, err := audit.ParseReceipt(b)
	if err != nil {
		return broken(err)
	}
	got, err := r.Check(keys...)
	if err != nil {
		return broken(err)
	}
	fmt.Fprintf(p.stdout, "%s: %s %s\nrecorded %s as event %d of log %s\nsigned by %s over %d events\n",
		got.Entry.Stream, got.Entry.Type, describe(got.Entry.Fact), moment(got.Entry.Meta.RecordedAt), r.Index, got.Head.Origin,
		strings.Join(got.Head.Keys, ", "), got.Head.Size)
	if !audit.ProvesCredit(got.Entry.Fact) { // anyone can make one of an order that was never paid
		fmt.Fprintln(p.stdout, "verdict: the event is in the log, and it is no credit: no money was received by it")
		return &verdict{code: exitBroken}
	}
	fmt.Fprintln(p.stdout, "verdict: the receipt holds; what was refunded or taken back later it does not tell")
	return nil
}
