package reports

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
			b.Date, b.Value, b.Recorded, word(b.Type), string(b.Channel), b.OrderNo, b.TradeNo, b.Ref, bookName(p), string(p.Wallet),
			p.Amount, string(p.Amount.Currency()), exact(p.Amount.Amount()), b.Evidence, b.Event.String(),
		}
	}
	return out
}
