package doctor

import (
	"context"
	"fmt"
	"strings"
	"time"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/projections"
)

// store tells how the event store opened. Opening one reads its settings back
// and refuses old libraries and network file systems, so most of what can be
// wrong is in its error.
func (e *examiner) store(ctx context.Context) []Finding {
	f := about("event store")
	if err := e.Store.Err; err != nil {
		do, zh := "read the sentence; the daemons cannot start either until this is mended", "账本打不开：守护进程也无法启动"
		switch domain.KindOf(err) { //nolint:exhaustive // the others have no better advice
		case domain.KindNotFound:
			do, zh = "make the store with `counterfoil init`, or bring back the one you had from its backup", "没有账本：请 init 或从备份恢复"
		case domain.KindCorrupt:
			do, zh = "stop the daemons, keep a copy of the folder, then bring the store back from its backup", "账本损坏：停止服务、保留副本、从备份恢复"
		}
		return one(f.fail(err.Error(), do, zh))
	}
	var found []Finding
	if e.Store.Server != "" {
		found = one(f.ok(fmt.Sprintf("opens, %s mode, at %s", e.Mode, e.Store.Server)))
	} else {
		found = one(f.ok(fmt.Sprintf("opens, %s mode, %s on a local disk", e.Mode, e.Store.Settings)))
		found = append(found, about("SQLite").ok(e.Store.SQLite))
	}
	if err := e.Store.Log.Ready(ctx); err != nil {
		found = append(found, about("event store", "writing").fail(err.Error(),
			"the store takes no appends now, and callbacks are asked to come again: mend what it says", "账本无法写入，请先处理"))
	}
	return found
}

// clockSlack is how far the newest event may lie ahead of our clock.
const clockSlack = 5 * time.Second

// clock compares our clock with the newest event.
func (e *examiner) clock(ctx context.Context) []Finding {
	f := about("clock")
	if e.Store.Log == nil {
		return one(f.skip("the event store is not open"))
	}
	events, err := e.newest(ctx, 1, false)
	if err != nil {
		return one(f.fail("the newest event cannot be read: "+err.Error(), "run `counterfoil verify`", "请运行 counterfoil verify"))
	}
	if len(events) == 0 {
		return one(f.skip("there is no event yet"))
	}
	meta, err := domain.DecodeMeta(events[len(events)-1].Meta)
	if err != nil {
		return one(f.fail("the newest event cannot be read: "+err.Error(), "run `counterfoil verify`", "请运行 counterfoil verify"))
	}
	now := e.Clock()
	if ahead := meta.RecordedAt.Sub(now); ahead > clockSlack {
		return one(f.fail(fmt.Sprintf("the newest event was recorded %s in the future: this clock has gone back, or that one was wrong",
			ahead.Round(time.Second)), "set the clock (chrony, systemd-timesyncd), then look again", "服务器时间不对：请校时 (NTP)"))
	}
	return one(f.ok(fmt.Sprintf("newest event recorded %s ago", ago(now.Sub(meta.RecordedAt)))))
}

// backwards is a log whose positions do not count its events, read from its
// end.
type backwards interface {
	Newest(ctx context.Context, n int, sealed bool) ([]eventstore.Recorded, error)
}

// newest reads about the last n events: positions are not dense, so it may be
// fewer, but never none of a log that has some.
func (e *examiner) newest(ctx context.Context, n uint64, sealed bool) ([]eventstore.Recorded, error) {
	if back, ok := e.Store.Log.(backwards); ok {
		return back.Newest(ctx, int(n), sealed)
	}
	head, err := e.Store.Log.Head(ctx)
	if err != nil || head == 0 {
		return nil, err
	}
	after := uint64(head) - min(uint64(head), n)
	var events []eventstore.Recorded
	for b, err := range e.Store.Log.Follow(ctx, eventstore.Position(after), eventstore.FollowOptions{Sealed: sealed}) {
		if err != nil {
			return events, err
		}
		if events = append(events, b.Events...); b.CaughtUp || b.Position >= head {
			break
		}
	}
	return events, ctx.Err()
}

// projections sees how far the rows are behind the log, waiting a moment for
// them.
func (e *examiner) projections(ctx context.Context) []Finding {
	f := about("projections")
	do, zh := "start the api or the reconciler: both keep them up; a balance is only as new as its projection", "启动 api 或 reconciler 后投影会追上"
	switch {
	case e.Store.Log == nil:
		return one(f.skip("the event store is not open"))
	case e.RowsErr != nil && missing(e.RowsErr):
		return one(f.warn("there are none yet", do, zh))
	case e.RowsErr != nil:
		return one(f.fail(e.RowsErr.Error(), "run `counterfoil projections rebuild`", "请运行 counterfoil projections rebuild"))
	}
	head, err := e.Store.Log.Head(ctx)
	if err == nil {
		err = e.Rows.Wait(ctx, head)
	}
	at, cerr := e.Rows.Checkpoint(ctx)
	switch {
	case cerr != nil:
		return one(f.fail(cerr.Error(), "run `counterfoil projections rebuild`", "请运行 counterfoil projections rebuild"))
	case err == nil:
		return one(f.ok(fmt.Sprintf("caught up at position %s", at)))
	case at < head:
		return one(f.warn(fmt.Sprintf("at position %s of %s, %d behind", at, head, head-at), do, zh))
	}
	return one(f.fail(err.Error(), "run `counterfoil projections rebuild`", "请运行 counterfoil projections rebuild"))
}

// keysTried is how many of the newest events' sealed parts are opened.
const keysTried = 200

// dataKeys opens the newest evidence: without its keys it is lost, although the
// log is whole.
func (e *examiner) dataKeys(ctx context.Context) []Finding {
	f := about("data keys")
	if e.Store.Log == nil || e.Operations == nil || e.Store.Unseal == nil {
		return one(f.skip("the stores are not open"))
	}
	events, err := e.newest(ctx, keysTried, true)
	if err != nil {
		return one(f.fail(err.Error(), "run `counterfoil verify`", "请运行 counterfoil verify"))
	}
	opened := 0
	var locked []string
	for _, r := range events {
		if len(r.Sealed) == 0 {
			continue
		}
		if err = e.Store.Unseal(ctx, r); err != nil {
			locked = append(locked, fmt.Sprintf("%s (%v)", r.Stream, err))
			continue
		}
		opened++
	}
	if len(locked) > 0 {
		return one(f.fail(fmt.Sprintf("%d of %d sealed parts do not open, first %s", len(locked), len(locked)+opened, locked[0]),
			"operations.db does not belong to this log: bring it back from its backup; until then evidence cannot be shown", "数据密钥与账本不符：请恢复 operations.db 备份"))
	}
	if opened == 0 {
		return one(f.skip("nothing is sealed yet"))
	}
	return one(f.ok(fmt.Sprintf("the newest %d sealed parts open", opened)))
}

// operations sees that the operations store can write.
func (e *examiner) operations(ctx context.Context) []Finding {
	f := about("operations store")
	err := e.OpsErr
	if err == nil {
		err = e.Operations.Ready(ctx)
	}
	if err != nil {
		return one(f.fail(err.Error(), "mend what it says: without data keys nothing can be placed or kept", "operations.db 不可用：无法下单、无法收款"))
	}
	return one(f.ok("ready"))
}

// ago is a duration as people say it.
func ago(d time.Duration) string {
	switch {
	case d < 0:
		return "0s"
	case d < time.Minute:
		return d.Round(time.Second).String()
	case d < 48*time.Hour:
		return strings.TrimSuffix(d.Round(time.Minute).String(), "0s")
	}
	return fmt.Sprintf("%d days", int(d/(24*time.Hour)))
}

// payments reads the newest payments of a channel from the rows.
func (e *examiner) payments(ctx context.Context, id domain.ChannelID, n int) ([]projections.Payment, error) {
	if e.Rows == nil {
		return nil, domain.E(domain.KindUnavailable, "the projections are not open")
	}
	return e.Rows.Payments(ctx, projections.PaymentFilter{Channel: id, Limit: n})
}
