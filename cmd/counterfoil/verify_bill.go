package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"counterfoil/audit"
	"counterfoil/domain"
	"counterfoil/providers"
)

// billFlags name a bill that the auditor brings.
type billFlags struct{ file, channel, day string }

// brought opens the bill as something that the channel can read.
func (f billFlags) brought(channels map[domain.ChannelID]providers.Channel) (b audit.BroughtBill, close func() error, err error) {
	day, err := domain.ParseDay(f.day)
	if err != nil {
		return b, nil, domain.EField(domain.KindInvalid, "--day", "%q is not a day as YYYY-MM-DD: --bill needs the day and the channel it is of", f.day)
	}
	ch, ok := channels[domain.ChannelID(f.channel)]
	if !ok {
		return b, nil, domain.EField(domain.KindInvalid, "--channel", "%q is not configured here", f.channel)
	}
	biller, ok := ch.(providers.Biller)
	if !ok {
		return b, nil, domain.EField(domain.KindInvalid, "--channel", "the provider of %s makes no bills", f.channel)
	}
	zone, err := time.LoadLocation(ch.Config().Zone)
	if err != nil {
		return b, nil, domain.E(domain.KindInvalid, "zone of %s: %w", f.channel, err)
	}
	file, err := os.Open(f.file)
	if err != nil {
		return b, nil, domain.EField(domain.KindInvalid, "--bill", "%w", err)
	}
	return audit.BroughtBill{
		Channel: domain.ChannelID(f.channel), Day: day, Kind: biller.Bills()[0], Whose: filepath.Base(f.file),
		Reader: file, Biller: biller, Zone: zone,
	}, file.Close, nil
}

// compareBill adds what the auditor's own bill says to a report.
func (f billFlags) compareBill(
	ctx context.Context, s *stores, channels map[domain.ChannelID]providers.Channel, rep *audit.Report,
) (err error) {
	b, closeFile, err := f.brought(channels)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeFile()) }()
	c, err := audit.CompareBill(ctx, s.events, s.ledger, b)
	rep.Bills = append(rep.Bills, c)
	return err
}

func printBills(w io.Writer, r audit.Report) error {
	for _, c := range r.Bills {
		if c.Unread != "" {
			fmt.Fprintf(w, "bill %s (%s, %s): cannot be read, so nothing follows from it: %s\n", c.Whose, c.Channel, c.Day, c.Unread)
			continue
		}
		fmt.Fprintf(w, "bill %s (%s, %s, SHA-256 %s): %d lines, the log has %d of that day, %d agree, %d open differences\n",
			c.Whose, c.Channel, c.Day, c.SHA256, c.Theirs, c.Ours, c.Matched, c.Open())
		for _, d := range c.Differences {
			fmt.Fprintf(w, "%s %s: %s\n", d.State, d.Kind, d.Text)
		}
	}
	return nil
}

// broughtVerdict is the exit status that brought bills call for.
func broughtVerdict(r audit.Report) int {
	code := exitOK
	for _, c := range r.Bills {
		switch {
		case c.Open() > 0:
			return exitDiffers
		case c.Unread != "":
			code = exitIncomplete
		}
	}
	return code
}
