package main

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/eventstore/memory"
	"counterfoil/ledger"
)

// shut is a log that refuses appends.
type shut struct {
	eventstore.Store
	with error
}

func (s *shut) Append(ctx context.Context, stream domain.Stream, at eventstore.Expected, es []eventstore.Event) (eventstore.Appended, error) {
	if s.with != nil {
		return eventstore.Appended{}, s.with
	}
	return s.Store.Append(ctx, stream, at, es)
}

// TestTakingWhereNothingCanBeRecorded: from a log that this account may only
// read, things are taken with a warning; from one that is in trouble, not.
func TestTakingWhereNothingCanBeRecorded(t *testing.T) {
	t.Parallel()
	now := func() time.Time { return time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC) }
	log := &shut{Store: memory.New()}
	cfg := ledger.Config{Software: "test/1", Clock: now}
	if err := ledger.Init(t.Context(), log, domain.ID{1}, domain.ModeTest, cfg); err != nil {
		t.Fatal(err)
	}
	l, err := ledger.Open(t.Context(), log, nil, cfg)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		with  error
		fails bool
		says  string
	}{
		{domain.E(domain.KindDenied, "this user may not append"), false, "recorded nowhere: record it: append to acts-2026-11 after -1: this user may not append"},
		{domain.E(domain.KindUnavailable, "the disk is full"), true, ""},
		{nil, false, ""},
	} {
		var stderr bytes.Buffer
		p := &program{stderr: &stderr, clock: now}
		log.with = c.with
		err := p.tellTaken(t.Context(), log, l, taking{domain.ActExport, "postings csv", "tax office"})
		if (err != nil) != c.fails || (c.says == "") != (stderr.Len() == 0) || !strings.Contains(stderr.String(), c.says) {
			t.Errorf("%v: %v, %q", c.with, err, stderr.String())
		}
	}
}
