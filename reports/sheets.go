package reports

import (
	"strings"

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
	return []Sheet{r.summary(), r.runs(), r.balances(), r.differences(), r.corrections(), r.charges(), r.exchanges(), r.payouts(), r.books()}
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

// balances holds what bills say of balances against our books of them.
func (r *Report) balances() Sheet {
	s := Sheet{Name: "Balances", Zh: "渠道余额核对", Columns: []Column{
		{"Channel", "渠道", 16},
		{"Day", "账单日", 12},
		{"Bill", "账单", 11},
		{"Counts", "计入", 8},
		{"Currency", "币种", 9},
		{"Opening", "期初", 16},
		{"In", "收入", 16},
		{"Out", "支出", 16},
		{"Closing", "期末", 16},
		{"Book", "账簿余额", 16},
		{"Off", "差额", 16},
		{"Off before the day", "日初已有差额", 18},
		{"Of the day: bill / book", "当日差额：账单／账簿", 50},
		{"Run", "批次号", 40},
	}}
	for _, x := range r.Runs {
		for _, b := range x.Balances {
			s.Rows = append(s.Rows, []any{
				string(x.Channel), x.Day, x.Bill, yes(x.Newest), string(b.Currency), b.Opening, b.In, b.Out, b.Closing, b.InBook(), b.Off(), b.Before,
				partsText(b.Parts), x.ID,
			})
		}
	}
	return s
}

// partsText names what moved differently by the bill and by the book.
func partsText(parts []domain.BalancePart) string {
	words := make([]string, len(parts))
	for i, p := range parts {
		words[i] = string(p.What) + " " + p.Bill.Amount() + " / " + p.Book.Amount()
	}
	return strings.Join(words, ", ")
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
		{"Seconded by", "初核", 20},
		{"Decided by", "复核", 20},
		{"Decided at", "复核时间", 20},
		{"Words", "复核意见", 40},
		{"Event", "事件号", 38},
	}}
	for _, c := range r.Corrections {
		s.Rows = append(s.Rows, []any{
			c.Action, string(c.State), yes(c.Auto), string(c.Channel), c.OrderNo, c.TradeNo, string(c.Account), string(c.From), c.Amount,
			string(c.Amount.Currency()), c.ProposedBy, c.ProposedAt, c.Reason, c.SecondedBy, c.DecidedBy, c.DecidedAt, c.Words, c.Event.String(),
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
		{"Channel", "渠道", 16},
		{"Payout", "打款号", 32},
		{"Stage", "阶段", 10},
		{"Day", "日期", 12},
		{"Amount", "金额", 16},
		{"Currency", "币种", 9},
		{"By", "依据", 40},
		{"Evidence SHA-256", "凭据哈希", 66},
		{"Event", "事件号", 38},
	}}
	for _, p := range r.Payouts {
		s.Rows = append(s.Rows, []any{string(p.Channel), p.ID, p.Stage, p.Day, p.Amount, string(p.Amount.Currency()), p.By, p.SHA256, p.Event.String()})
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
