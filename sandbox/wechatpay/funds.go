package wechatpay

import (
	"slices"
	"time"

	"counterfoil/domain"
	"counterfoil/sandbox/stage"
)

// Words of the fund flow (fund flow bill page of v3: 业务名称, 业务类型).
const (
	wordTrade    = "交易"
	wordFee      = "扣除交易手续费"
	wordRefund   = "退款"
	wordFeeBack  = "退还交易手续费"
	wordPayout   = "提现"
	wordNoPayout = "提现退票"
	wordAnyOther = "异常调账"
)

// movement is one change of a merchant's balance.
type movement struct {
	at      time.Time
	no      string // 微信支付业务单号
	voucher string // 业务凭证号
	name    string // 业务名称
	kind    string // 业务类型
	fen     int64  // below zero when it leaves
	balance int64  // after it
}

// movements are all changes of a balance up to now, in their order. Fees are
// taken in whole fen, of what is settled.
func (f *Face) movements(m *merchant) []movement {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.movementsLocked(m)
}

func (f *Face) movementsLocked(m *merchant) []movement {
	var all []movement
	add := func(at time.Time, no, voucher, name, kind string, fen int64) {
		if fen != 0 {
			all = append(all, movement{at: at, no: no, voucher: voucher, name: name, kind: kind, fen: fen})
		}
	}
	for _, o := range m.list {
		if o.wasPaid() {
			add(o.paidAt, o.id, o.no, wordTrade, wordTrade, o.settled())
			add(o.paidAt, o.id, o.no, wordFee, wordFee, -wholeFee(o.settled()))
		}
		for _, r := range o.refunds {
			if r.status != closedIt {
				add(r.at, r.id, r.no, wordRefund, wordRefund, -r.settled())
				add(r.at, r.id, r.no, wordFeeBack, wordFeeBack, wholeFee(r.settled()))
			}
		}
	}
	now := f.stage.Books()
	for _, p := range m.payouts {
		add(p.at, p.id, p.id, wordPayout, wordPayout, -p.fen)
		if p.cameBack(now) {
			add(p.backAt, p.id, p.id, wordNoPayout, wordPayout, p.fen)
		}
	}
	for _, move := range m.moves {
		add(move.At, move.ID, move.ID, move.Word, move.Word, move.Amount.Minor())
	}
	slices.SortStableFunc(all, func(a, b movement) int { return a.at.Compare(b.at) })
	var balance int64
	for i := range all {
		balance += all[i].fen
		all[i].balance = balance
	}
	return all
}

// fundBill are the movements of a day.
type fundBill []movement

// funds is a day's fund flow, nil where nothing moved.
func (f *Face) funds(m *merchant, day domain.Day) bill {
	all := slices.DeleteFunc(f.movements(m), func(v movement) bool { return domain.DayOf(v.at, stage.China) != day })
	if len(all) > 0 && f.billFault(m) == stage.BillChanged {
		all = all[:len(all)-1] // it is in the bill when it is downloaded again
	}
	if len(all) == 0 {
		return nil
	}
	return fundBill(all)
}

func (b fundBill) len() int { return len(b) }

func (b fundBill) text(n int) []byte {
	var w writer
	w.WriteString(bom)
	w.heading("记账时间,微信支付业务单号,资金流水单号,业务名称,业务类型,收支类型,收支金额(元),账户结余(元),资金变更提交申请人,备注,业务凭证号")
	var in, out, ins, outs int64
	for i, v := range b {
		word, size := "收入", v.fen
		if v.fen < 0 {
			word, size = "支出", -v.fen
		}
		switch {
		case i >= n:
		case v.fen > 0:
			in, ins = in+size, ins+1
		default:
			out, outs = out+size, outs+1
		}
		w.row(v.at.In(stage.China).Format(time.DateTime), v.no, "1000"+digestHex(v.no, v.name)[:24], v.name, v.kind, word, yuan(size),
			yuan(v.balance), "system", "", v.voucher)
	}
	w.heading("资金流水总笔数,收入笔数,收入金额,支出笔数,支出金额")
	w.row(whole(ins+outs)+".0", whole(ins)+".0", yuan(in), whole(outs)+".0", yuan(out))
	return []byte(w.String())
}

// wholeFee is a fee in fen, halves up.
func wholeFee(fen int64) int64 { return (fee(fen) + 500) / 1000 }
