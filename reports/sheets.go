package reports

import (
	"strconv"
	"time"

	"counterfoil/domain"
)

// Column is a column of a sheet. Its values are text, whole numbers (int), days,
// instants or money; money of any currency may stand in one column.
type Column struct {
	En, Zh string
	Width  float64 // in characters, for workbooks
}

// exact is an amount as text: all its digits, whatever a program makes of
// numbers.
type exact string

// Sheet is a table of a report: what the workbook and CSV hold of it.
type Sheet struct {
	Name, Zh string
	Columns  []Column
	Rows     [][]any
}

// Sheets are the report's tables in the order people read them; the bookings
// are not among them, because they are many: see Make.
func (r *Report) Sheets() []Sheet {
	return []Sheet{r.summary(), r.runs(), r.differences(), r.corrections(), r.charges(), r.payouts(), r.books()}
}

// Sheet is the table of a name, e.g. "Differences"; KindInvalid where there is
// none.
func (r *Report) Sheet(name string) (Sheet, error) {
	var names []string
	for _, s := range r.Sheets() {
		if s.Name == name {
			return s, nil
		}
		names = append(names, s.Name)
	}
	return Sheet{}, domain.EField(domain.KindInvalid, "table", "%.40q is none of %v", name, names)
}

// Title says what the report is about.
func (r *Report) Title() string {
	what := string(r.Scope.Period)
	if r.Scope.Run != "" {
		what = r.Scope.Run
	}
	if r.Scope.Channel != "" {
		what += " " + string(r.Scope.Channel)
	}
	return what
}

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
		add("Evidence 凭据", e[0], "", words(e[1]))
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

// evidence are the lines that tie the report to the log.
func (r *Report) evidence() [][2]string {
	h := r.Head
	out := [][2]string{
		{"Report 报表", r.Title()},
		{"Days 日期", string(r.Scope.From) + " – " + string(r.Scope.To)},
		{"Zone 时区", r.Zone},
		{"As of 截至", wall(h.AsOf, r.zone)},
		{"Ledger 账本", h.Ledger.String() + " (" + string(h.Mode) + ")"},
		{"Head position 日志位置", h.Position.String()},
		{"Last event 末条事件", h.Event.String()},
		{"Events 事件数", strconv.FormatUint(h.Events, 10)},
	}
	if h.Root != "" {
		out = append(out, [2]string{"Tree root 树根 (SHA-256)", h.Root}, [2]string{"Events under the root 树根覆盖", strconv.FormatUint(h.Sealed, 10)})
	}
	if c := r.Closed; c != nil {
		out = append(out, [2]string{"Period closed by 关账", c.ProposedBy + ", " + c.ApprovedBy + ", " + wall(c.At, r.zone)})
	}
	return append(out, [2]string{"Software 软件", r.Software})
}

// wall is an instant as a clock on the wall of the zone shows it.
func wall(t time.Time, zone *time.Location) string {
	if t.IsZero() || zone == nil {
		return ""
	}
	return t.In(zone).Format(time.DateTime)
}

func (r *Report) runs() Sheet {
	s := Sheet{Name: "Runs", Zh: "对账批次", Columns: []Column{
		{"Channel", "渠道", 16},
		{"Day", "账单日", 12},
		{"Bill", "账单", 11},
		{"Import", "版本", 8},
		{"State", "状态", 12},
		{"Counts", "计入", 8},
		{"Ours", "我方", 10},
		{"Theirs", "对方", 10},
		{"Matched", "相符", 10},
		{"Waiting", "待定", 10},
		{"Settled", "补平", 10},
		{"Tolerated", "容差", 10},
		{"Differing", "差异", 10},
		{"Healed", "自动补单", 10},
		{"At", "完成时间", 20},
		{"Run", "批次号", 40},
		{"Cause", "原因", 30},
		{"Bill SHA-256", "账单哈希", 66},
		{"Bytes", "字节", 12},
		{"Position", "日志位置", 12},
	}}
	for _, x := range r.Runs {
		s.Rows = append(s.Rows, []any{
			string(x.Channel), x.Day, x.Bill, x.Import, "complete", yes(x.Newest), x.Ours, x.Theirs, x.Matched, x.Waiting, x.Settled,
			x.Tolerated, x.Differing, x.Healed, x.At, x.ID, "", x.SHA256, x.Size, x.Position.String(),
		})
	}
	for _, u := range r.Unfinished {
		s.Rows = append(s.Rows, []any{
			string(u.Channel), u.Day, u.Bill, "", "incomplete", yes(false), "", "", "", "", "", "", "", "", u.At, u.ID, u.Cause + ": " + u.Note,
			"", "", "",
		})
	}
	return s
}

func yes(b bool) string {
	if b {
		return "yes 是"
	}
	return "no 否"
}

func (r *Report) differences() Sheet {
	s := Sheet{Name: "Differences", Zh: "差异", Columns: []Column{
		{"Channel", "渠道", 16},
		{"Day", "账单日", 12},
		{"Kind", "类型", 20},
		{"State", "状态", 10},
		{"Age", "时长", 8},
		{"Line", "业务", 12},
		{"Order", "商户单号", 28},
		{"Trade", "渠道单号", 30},
		{"Refund or dispute", "退款/争议号", 24},
		{"Ours", "我方金额", 16},
		{"Theirs", "对方金额", 16},
		{"At stake", "差额", 16},
		{"Currency", "币种", 9},
		{"Found at", "发现时间", 20},
		{"Found by", "发现批次", 40},
		{"Resolved at", "解决时间", 20},
		{"Resolved by", "解决人/批次", 40},
		{"How", "处理", 40},
		{"Id", "差异号", 38},
	}}
	for _, d := range r.Differences {
		state := "resolved"
		if d.Open {
			state = "open"
		}
		s.Rows = append(s.Rows, []any{
			string(d.Channel), d.Day, string(d.Kind), state, string(d.Age), string(d.Line), d.OrderNo, d.TradeNo, d.Ref, d.Ours, d.Theirs,
			d.AtStake(), string(d.AtStake().Currency()), d.FoundAt, d.FoundBy, d.ResolvedAt, d.ResolvedBy, d.How, d.ID.String(),
		})
	}
	return s
}

func (r *Report) corrections() Sheet {
	s := Sheet{Name: "Corrections", Zh: "更正", Columns: []Column{
		{"Action", "动作", 12},
		{"State", "状态", 12},
		{"Automatic", "自动", 10},
		{"Channel", "渠道", 16},
		{"Order", "商户单号", 28},
		{"Trade", "渠道单号", 30},
		{"Account", "账户", 22},
		{"From", "原账户", 22},
		{"Amount", "金额", 16},
		{"Currency", "币种", 9},
		{"Proposed by", "提出", 26},
		{"Proposed at", "提出时间", 20},
		{"Why", "理由", 40},
		{"Decided by", "复核", 20},
		{"Decided at", "复核时间", 20},
		{"Words", "复核意见", 40},
		{"Event", "事件号", 38},
	}}
	for _, c := range r.Corrections {
		s.Rows = append(s.Rows, []any{
			c.Action, string(c.State), yes(c.Auto), string(c.Channel), c.OrderNo, c.TradeNo, string(c.Account), string(c.From), c.Amount,
			string(c.Amount.Currency()), c.ProposedBy, c.ProposedAt, c.Reason, c.DecidedBy, c.DecidedAt, c.Words, c.Event.String(),
		})
	}
	return s
}

func (r *Report) charges() Sheet {
	s := Sheet{Name: "Fees", Zh: "手续费与优惠", Columns: []Column{
		{"Kind", "类型", 14},
		{"Channel", "渠道", 16},
		{"Day", "账单日", 12},
		{"Amount", "金额", 16},
		{"Currency", "币种", 9},
		{"Exact on the bill", "账单精确值", 20},
		{"Bill", "账单", 11},
		{"Run", "批次号", 40},
		{"Bill SHA-256", "账单哈希", 66},
		{"Event", "事件号", 38},
	}}
	for _, c := range r.Charges {
		s.Rows = append(s.Rows, []any{
			c.Kind, string(c.Channel), c.Day, c.Amount, string(c.Amount.Currency()), c.Exact, c.Bill, c.Run, c.SHA256, c.Event.String(),
		})
	}
	return s
}

func (r *Report) payouts() Sheet {
	s := Sheet{Name: "Payouts", Zh: "结算打款", Columns: []Column{
		{"Channel", "渠道", 16}, {"Payout", "打款号", 32}, {"Stage", "阶段", 10}, {"Day", "日期", 12}, {"Amount", "金额", 16}, {"Currency", "币种", 9}, {"Event", "事件号", 38},
	}}
	for _, p := range r.Payouts {
		s.Rows = append(s.Rows, []any{string(p.Channel), p.ID, p.Stage, p.Day, p.Amount, string(p.Amount.Currency()), p.Event.String()})
	}
	return s
}

func (r *Report) books() Sheet {
	s := Sheet{Name: "Books", Zh: "科目余额", Columns: []Column{
		{"Book", "科目", 34}, {"Currency", "币种", 9}, {"Opening", "期初", 18}, {"Debits", "借方", 18}, {"Credits", "贷方", 18}, {"Closing", "期末", 18}, {"Closing, exact", "期末精确值", 24},
	}}
	for _, b := range r.Books {
		s.Rows = append(s.Rows, []any{b.Book, string(b.Closing.Currency()), b.Opening, b.Debits, b.Credits, b.Closing, exact(b.Closing.Amount())})
	}
	return s
}

// Movements is the sheet of bookings without its rows: one for each posting, see
// MovementRows.
func Movements() Sheet {
	return Sheet{Name: "Movements", Zh: "分录", Columns: []Column{
		{"Day", "记账日", 12},
		{"Value date", "起息日", 12},
		{"Recorded", "入账时间", 20},
		{"What", "业务", 22},
		{"Channel", "渠道", 16},
		{"Order", "商户单号", 28},
		{"Trade", "渠道单号", 30},
		{"Reference", "关联号", 24},
		{"Book", "科目", 34},
		{"Wallet", "账户", 22},
		{"Amount", "金额", 16},
		{"Currency", "币种", 9},
		{"Exact", "精确值", 20},
		{"Evidence SHA-256", "凭据哈希", 66},
		{"Event", "事件号", 38},
	}}
}

// MovementRows are the rows of a booking in Movements.
func MovementRows(b Booking) [][]any {
	out := make([][]any, len(b.Postings))
	for i, p := range b.Postings {
		out[i] = []any{
			b.Date, b.Value, b.Recorded, word(b.Type), string(b.Channel), b.OrderNo, b.TradeNo, b.Ref, p.Book, string(p.Wallet),
			p.Amount, string(p.Amount.Currency()), exact(p.Amount.Amount()), b.Evidence, b.Event.String(),
		}
	}
	return out
}
