package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"counterfoil/domain"
	"counterfoil/operations"
)

// daemons asks the ops listeners of both.
func (e *examiner) daemons(ctx context.Context) []Finding {
	return []Finding{e.daemon(ctx, "api", e.API), e.daemon(ctx, "reconciler", e.Reconciler)}
}

func (e *examiner) daemon(ctx context.Context, name, listen string) Finding {
	f := about("daemon", name)
	host, port, err := net.SplitHostPort(listen)
	if err != nil || port == "0" {
		return f.skip("its ops listener " + listen + " has no fixed port")
	}
	if host == "" || host == "0.0.0.0" || host == "::" {
		host = "127.0.0.1"
	}
	base := "http://" + net.JoinHostPort(host, port)
	status, said, notes, err := e.say(ctx, base+"/readyz")
	switch {
	case err != nil:
		return f.fail(fmt.Sprintf("does not answer at %s: %v", listen, err),
			fmt.Sprintf("start it: %s --dir %s", name, e.Dir), name+" 未运行：请启动")
	case status != http.StatusOK:
		return f.fail("is not ready: "+clip(said, 300), "mend what it says; until then callbacks are asked to come again", name+" 未就绪")
	}
	if _, version, _, err := e.say(ctx, base+"/version"); err == nil && version != e.Software {
		return f.warn(fmt.Sprintf("ready, but it is %s and this program %s", clip(version, 60), e.Software), "restart it with the program of this version", "版本不一致：请重启")
	}
	if len(notes) > 0 {
		return f.warn("ready, but "+clip(strings.Join(notes, "; "), 400), "have two persons look at `counterfoil config pending`", "放宽策略的配置待两人批准")
	}
	return f.ok("ready at " + listen)
}

// say asks an ops listener and returns its status text, and what it says beside.
func (e *examiner) say(ctx context.Context, address string) (status int, said string, notes []string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return 0, "", nil, err
	}
	a, err := e.ask(req)
	if err != nil {
		return 0, "", nil, err
	}
	var body struct {
		Status string   `json:"status"`
		Notes  []string `json:"notes"`
	}
	if err := json.Unmarshal([]byte(a.body), &body); err != nil {
		return a.status, "", nil, fmt.Errorf("something else answers there: %s", a.words())
	}
	return a.status, body.Status, body.Notes, nil
}

// sweeps sees that providers are being asked.
func (e *examiner) sweeps(ctx context.Context) []Finding {
	f := about("sweep")
	if e.Operations == nil {
		return one(f.skip("the operations store is not open"))
	}
	runs, err := e.Operations.Runs(ctx, "sweep", 200)
	if err != nil {
		return one(f.fail(err.Error(), "mend what it says", "operations.db 读取失败"))
	}
	found := one(e.sweep(f, runs))
	open, err := e.Operations.OpenAsks(ctx)
	if err != nil {
		return append(found, about("open questions").fail(err.Error(), "mend what it says", "operations.db 读取失败"))
	}
	return append(found, about("open questions").ok(fmt.Sprintf("%d payments are to be asked about", open)))
}

// sweepSlack lets short intervals be late by a moment.
const sweepSlack = 10 * time.Second

func (e *examiner) sweep(f Finding, runs []operations.Run) Finding {
	do, zh := "start the reconciler: without it lost callbacks stay lost and held ones stay held", "reconciler 未运行：漏单不会自动补"
	if len(runs) == 0 {
		return f.fail("there was never one", do, zh)
	}
	limit := 3*e.SweepEvery + sweepSlack
	now := e.Clock()
	i := slices.IndexFunc(runs, func(r operations.Run) bool { return r.State == operations.RunComplete })
	if i >= 0 {
		if age := now.Sub(runs[i].EndedAt); age <= limit {
			return f.ok(fmt.Sprintf("last complete one ended %s ago and asked %d questions", ago(age), runs[i].Asked))
		}
	}
	j := slices.IndexFunc(runs, func(r operations.Run) bool { return r.State == operations.RunIncomplete })
	if j >= 0 && now.Sub(runs[j].EndedAt) <= limit {
		r := runs[j]
		return f.warn(fmt.Sprintf("runs, but the last complete one was %s: %d of %d questions had no answer %s",
			lastComplete(runs, i, now), r.Unanswered, r.Asked, r.Note), "see the gateway checks below: a provider does not answer", "对账查询未获应答：检查网关")
	}
	return f.fail("the last complete one was "+lastComplete(runs, i, now), do, zh)
}

func lastComplete(runs []operations.Run, i int, now time.Time) string {
	if i < 0 {
		return "none of the last " + fmt.Sprint(len(runs))
	}
	return ago(now.Sub(runs[i].EndedAt)) + " ago"
}

// lookBack and maxRows bound how much of the callback log is counted.
const (
	lookBack = 24 * time.Hour
	maxRows  = 20_000
)

// traffic counts the callbacks of the last day by outcome, without our own
// probes.
func (e *examiner) traffic(ctx context.Context) []Finding {
	f := about("callbacks in 24 h")
	if e.Operations == nil {
		return one(f.skip("the operations store is not open"))
	}
	counts, reasons := map[domain.Outcome]int{}, map[domain.Reason]int{}
	all, before := 0, int64(0)
	for all < maxRows {
		rows, err := e.Operations.Callbacks(ctx, operations.CallbackFilter{Since: e.Clock().Add(-lookBack), Before: before, Limit: 1000})
		if err != nil {
			return one(f.fail(err.Error(), "mend what it says", "operations.db 读取失败"))
		}
		for _, r := range rows {
			before = r.Seq
			if strings.HasPrefix(r.OrderNo, ProbePrefix) && r.Outcome == domain.OutcomeRefused {
				continue
			}
			all++
			counts[r.Outcome]++
			if r.Outcome == domain.OutcomeRefused {
				reasons[r.Reason]++
			}
		}
		if len(rows) < 1000 {
			break
		}
	}
	return one(weigh(f, all, counts, reasons))
}

func weigh(f Finding, all int, counts map[domain.Outcome]int, reasons map[domain.Reason]int) Finding {
	var parts []string
	for _, o := range domain.Outcomes() {
		if counts[o] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", counts[o], o))
		}
	}
	seen := "none"
	if len(parts) > 0 {
		seen = strings.Join(parts, ", ")
	}
	if all >= maxRows {
		seen += fmt.Sprintf(" (the newest %d)", maxRows)
	}
	for _, r := range slices.Sorted(maps.Keys(reasons)) {
		seen += fmt.Sprintf("; refused %s: %d", r, reasons[r])
	}
	kept := all - counts[domain.OutcomeRefused] - counts[domain.OutcomeFailed]
	switch {
	case counts[domain.OutcomeFailed] > 0:
		return f.warn(seen, "failed ones could not be kept and were asked to come again: see the api's log", "有回调未能落库：请查看 api 日志")
	case reasons[domain.ReasonWrongSignature] > 0 && kept == 0:
		return f.warn(seen, "no callback verifies: compare the keys with the merchant page, then run `counterfoil callbacks recheck`", "回调全部验签失败：核对密钥后运行 callbacks recheck")
	}
	return f.ok(seen)
}

// lastCallback tells when a channel was last called, and is wary of one that
// sells and is never called.
func (e *examiner) lastCallback(ctx context.Context, c Channel) []Finding {
	f := about("last callback", string(c.ID))
	if e.Operations == nil {
		return one(f.skip("the operations store is not open"))
	}
	row, err := e.lastReal(ctx, c.ID)
	if err != nil {
		return one(f.fail(err.Error(), "mend what it says", "operations.db 读取失败"))
	}
	if row != nil {
		return one(f.ok(fmt.Sprintf("%s ago, %s, answered %d %s", ago(e.Clock().Sub(row.ReceivedAt)), row.Outcome,
			row.Reply.Status, clip(row.Reply.Body, 20))))
	}
	payments, err := e.payments(ctx, c.ID, 100)
	if err != nil {
		return one(f.skip("none yet"))
	}
	credited := 0
	for _, p := range payments {
		if p.State.Settled() {
			credited++
		}
	}
	if credited > 0 {
		return one(f.warn(fmt.Sprintf("none ever came, although %d of the newest %d payments were paid: the sweep found them by asking", credited, len(payments)),
			"the gateway cannot reach the callback address, or it was given another one: see the checks above, then `counterfoil doctor --pay 0.01 --channel "+string(c.ID)+"`",
			"从未收到回调，全靠查单补单：请检查回调地址是否可达"))
	}
	return one(f.skip("none yet, and nothing was paid"))
}

// lastReal is the newest row of a channel that is no probe of ours, or nil.
func (e *examiner) lastReal(ctx context.Context, id domain.ChannelID) (*operations.Callback, error) {
	before := int64(0)
	for range maxRows / 1000 {
		rows, err := e.Operations.Callbacks(ctx, operations.CallbackFilter{Channel: string(id), Before: before, Limit: 1000})
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			if before = r.Seq; !strings.HasPrefix(r.OrderNo, ProbePrefix) || r.Outcome != domain.OutcomeRefused {
				return &r, nil
			}
		}
		if len(rows) < 1000 {
			break
		}
	}
	return nil, nil //nolint:nilnil // there is none, and that is an answer
}
