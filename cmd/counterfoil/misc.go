package main

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"counterfoil/domain"
	"counterfoil/internal/assembly"
)

func newVersionCommand(p *program) *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs, Example: "  counterfoil version",
		RunE: p.begin(func(context.Context, []string) error {
			revision := "unknown"
			if info, ok := debug.ReadBuildInfo(); ok {
				for _, s := range info.Settings {
					if s.Key == "vcs.revision" {
						revision = s.Value
					}
				}
			}
			_, err := fmt.Fprintf(p.stdout, "%s (revision %s, %s %s/%s)\n", assembly.Software, revision, runtime.Version(),
				runtime.GOOS, runtime.GOARCH)
			return err
		}),
	}
}

// typeMeanings say what each stored type tells.
var typeMeanings = map[string]string{
	domain.TypeLedgerOpened:       "the log begins: its id, live or test",
	domain.TypeChannelConfigured:  "settings of a channel from here on",
	domain.TypePaymentPlaced:      "an order: what is to be paid, and for whom",
	domain.TypePaymentNotified:    "a delivery kept: what it said, evidence, decision, answer",
	domain.TypePaymentHeld:        "money that waits for the provider's confirmation",
	domain.TypePaymentCredited:    "money given to the order's account; once an order",
	domain.TypePaymentParked:      "real money that may not be credited",
	domain.TypePaymentAllocated:   "parked money moved to an account",
	domain.TypePaymentClosed:      "no payment is expected any more",
	domain.TypeDiscrepancyFound:   "a difference between our books and the provider's",
	domain.TypeCorrectionProposed: "a person asks for a correction",
	domain.TypeCorrectionSeconded: "a person's first yes to what a run proposed",
	domain.TypeCorrectionApproved: "another person says yes; what follows stands beside it",
	domain.TypeCorrectionRejected: "a proposal ended without a correction",
	domain.TypeFeesBooked:         "what a provider charged by a bill, as far as it was not booked",
	domain.TypeCorrectionIssued:   "a difference repaired, and what it rests on",

	domain.TypePersonActed:    "a person did something: logged in, exported, looked at evidence",
	domain.TypeConfigProposed: "settings that loosen a channel's policy wait for two persons",
	domain.TypeConfigApproved: "one person's yes to loosened settings",
	domain.TypeConfigRejected: "loosened settings refused",
	domain.TypeConfigApplied:  "what changed in a channel's settings, by whom, and who agreed",
	domain.TypeKeyProposed:    "a person wants to sign approvals with a key",
	domain.TypeKeyAdded:       "another person confirms the key: approvals need it from here on",
	domain.TypeKeyRetired:     "a key signs no more",
	domain.TypeEvidenceErased: "sealed parts verified once more, and their key destroyed",

	domain.TypeDiscountBooked:  "what a provider gave payers at our cost, as far as it was not booked",
	domain.TypeFXBooked:        "what was exchanged between currencies, as far as it was not booked",
	domain.TypeMovementBooked:  "a movement on a provider's balance that nobody can name",
	domain.TypePayoutSent:      "money left a provider's balance for the bank",
	domain.TypePayoutArrived:   "a payout stands on the bank account, by a person's evidence",
	domain.TypePayoutFailed:    "the money of a payout came back to the provider's balance",
	domain.TypeOpeningProposed: "a person proposes what a channel and its accounts had before these books",
	domain.TypeOpeningRejected: "a proposed opening balance ended without it",
	domain.TypeOpeningBooked:   "another person said yes: an opening balance is booked",
	domain.TypePeriodClosing:   "a person proposes to close a month, with its totals",
	domain.TypePeriodRejected:  "a proposal to close a month ended without it",
	domain.TypePeriodClosed:    "another person closed a month, for ever",

	domain.TypeReconciliationCompared: "a provider's bill compared with the books: its hash, counts and totals",
	domain.TypeReconciliationDiffered: "an item in which a bill and the books differ, or differ no more",
}

type typeRow struct {
	Type  string `json:"type"`
	Tells string `json:"tells"`
}

func newCatalogCommand(p *program) *cobra.Command {
	cmd := &cobra.Command{
		Use: "catalog", Short: "List the types of event this software reads", Args: cobra.NoArgs,
		Example: "  counterfoil catalog",
		RunE: p.begin(func(context.Context, []string) error {
			var rows []typeRow
			for _, t := range domain.Types() {
				rows = append(rows, typeRow{t, typeMeanings[t]})
			}
			t := newTable("TYPE", "TELLS")
			return printRows(p, rows, t, func(r typeRow) { t.add(r.Type, r.Tells) })
		}),
	}
	p.addOutput(cmd, "table")
	return cmd
}
