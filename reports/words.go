package reports

import (
	"html/template"

	"counterfoil/domain"
)

// kindWords are the differences as finance calls them in Chinese. In English
// their own names are words already.
var kindWords = map[domain.DiscrepancyKind]string{
	domain.MissingCredit:        "漏入账",
	domain.OnlyOurs:             "我方有对方无",
	domain.OnlyTheirs:           "对方有我方无",
	domain.AmountMismatch:       "金额不符",
	domain.CurrencyMismatch:     "币种不符",
	domain.StatusMismatch:       "状态不符",
	domain.Frozen:               "资金冻结",
	domain.SecondPayment:        "重复支付",
	domain.DuplicateTradeNo:     "渠道单号重复",
	domain.RefundMissing:        "漏记退款",
	domain.RefundUnknown:        "账单无此退款",
	domain.FeeMismatch:          "手续费不符",
	domain.PayoutMismatch:       "结算款不符",
	domain.UnclassifiedMovement: "未归类流水",
	domain.BillTotalMismatch:    "账单汇总不符",
	domain.Timing:               "跨日时差",
}

var actionWords = map[domain.Action]string{
	domain.ActionAllocate: "认领入账",
	domain.ActionCredit:   "补单",
	domain.ActionReverse:  "冲正",
	domain.ActionMove:     "调账",
	domain.ActionWriteOff: "转收入",
}

var stateWords = map[domain.ProposalState]string{
	domain.ProposalOpen:     "待复核",
	domain.ProposalIssued:   "已生效",
	domain.ProposalRejected: "已驳回",
}

var partWords = map[domain.PartKind]string{
	domain.PartPayment:           "收款",
	domain.PartRefund:            "退款",
	domain.PartRefundFailed:      "退款失败",
	domain.PartFee:               "手续费",
	domain.PartDisputeWithdrawn:  "拒付扣款",
	domain.PartDisputeReinstated: "拒付退回",
	domain.PartPayout:            "结算出款",
	domain.PartPayoutFailed:      "结算退回",
	domain.PartOther:             "其他流水",
	domain.PartExchange:          "换汇",
	domain.PartOpening:           "期初转入",
	domain.PartCorrection:        "人工更正",
}

// Kind names a difference. Its code stands beside it in every language: it is
// what commands and filters take.
func (p *page) Kind(k domain.DiscrepancyKind) template.HTML {
	return p.coded(string(k), kindWords[k])
}

// Part names what moved a provider's balance.
func (p *page) Part(k domain.PartKind) template.HTML { return p.coded(string(k), partWords[k]) }

// Action names what a correction does.
func (p *page) Action(a string) template.HTML { return p.coded(a, actionWords[domain.Action(a)]) }

// State names what became of a proposal.
func (p *page) State(s domain.ProposalState) template.HTML {
	return p.coded(string(s), stateWords[s])
}

func (p *page) coded(code, zh string) template.HTML {
	if p.Lang == LangEn || zh == "" {
		return template.HTML(template.HTMLEscapeString(code)) //nolint:gosec // escaped here
	}
	both := page{Lang: LangBoth}
	return both.T(code, zh)
}
