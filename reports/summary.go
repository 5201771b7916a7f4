package reports

import (
	"strconv"
	"time"

	"counterfoil/domain"
)

func (r *Report) summary() Sheet {
	s := Sheet{Name: "Summary", Zh: "汇总", Columns: []Column{
		{"Section", "类别", 16},
		{"Item", "项目", 34},
		{"Count", "笔数", 10},
		{"Amount", "金额", 18},
		{"Currency", "币种", 10},
		{"Exact", "精确值", 46},
	}}
	add := func(section, item string, count, amount any) {
		row := []any{section, item, count, amount, "", ""}
		if m, ok := amount.(domain.Money); ok && m.Currency() != "" {
			row[4], row[5] = string(m.Currency()), exact(m.Amount())
		}
		if t, ok := amount.(words); ok {
			row[3], row[5] = "", string(t)
		}
		s.Rows = append(s.Rows, row)
	}
	sum := r.Counted()
	for _, c := range []struct {
		item string
		n    int
	}{
		{"Our lines 我方笔数", sum.Ours},
		{"Their lines 账单笔数", sum.Theirs},
		{"Matched 相符", sum.Matched},
		{"Waiting for a later bill 待后续账单", sum.Waiting},
		{"Found on another day's bill 次日账单补平", sum.Settled},
		{"Tolerated 容差内", sum.Tolerated},
		{"Healed 自动补单", sum.Healed},
		{"Comparisons 对账次数", len(r.Runs)},
		{"Comparisons not finished 未完成对账", len(r.Unfinished)},
		{"Corrections 更正", len(r.Corrections)},
	} {
		add("Reconciliation 对账", c.item, c.n, "")
	}
	for _, o := range r.Open {
		add("Open 未结差异", string(o.Kind)+" "+string(o.Age), o.Count, o.Amount)
	}
	for _, f := range r.Flows {
		add("Bookings 记账", f.What, f.Count, f.Amount)
	}
	for _, t := range r.trial() {
		add("Check 校验", "All books together, must be 0 全部账户合计须为零", "", t)
	}
	for _, e := range r.evidence() {
		add("Evidence 凭据", e.En+" "+e.Zh, "", words(e.Value))
	}
	return s
}

// words stand where an amount would.
type words string

// trial is the sum of all closing balances in each currency.
func (r *Report) trial() []domain.Money {
	var t domain.Totals
	for _, b := range r.Books {
		if err := t.Add(b.Closing); err != nil {
			return nil
		}
	}
	var out []domain.Money
	for m := range t.All() {
		out = append(out, m)
	}
	return out
}

// tie is a line that ties the report to where it comes from. Zh is empty where
// both languages say the same.
type tie struct{ En, Zh, Value string }

// evidence are the lines that tie the report to the log.
func (r *Report) evidence() []tie {
	h := r.Head
	out := []tie{
		{"Report", "报表", r.Title()},
		{"Days", "日期", string(r.Scope.From) + " – " + string(r.Scope.To)},
		{"Zone", "时区", r.Zone},
		{"As of", "截至", wall(h.AsOf, r.zone)},
		{"Ledger", "账本", h.Ledger.String() + " (" + string(h.Mode) + ")"},
		{"Head position", "日志位置", h.Position.String()},
		{"Last event", "末条事件", h.Event.String()},
		{"Events", "事件数", strconv.FormatUint(h.Events, 10)},
	}
	if h.Root != "" {
		out = append(out, tie{"Tree root", "树根 (SHA-256)", h.Root}, tie{"Events under the root", "树根覆盖", strconv.FormatUint(h.Sealed, 10)})
	}
	if c := r.Closed; c != nil {
		out = append(out, tie{"Period closed by", "关账", c.ProposedBy + ", " + c.ApprovedBy + ", " + wall(c.At, r.zone)})
	}
	return append(out, tie{"Software", "软件", r.Software})
}

// wall is an instant as a clock on the wall of the zone shows it.
func wall(t time.Time, zone *time.Location) string {
	if t.IsZero() || zone == nil {
		return ""
	}
	return t.In(zone).Format(time.DateTime)
}
