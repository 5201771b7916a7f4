package alipay

import (
	"fmt"
	"strings"
	"unicode"

	"counterfoil/domain"
	"counterfoil/sandbox/stage"
)

func (b file) head(what string) string {
	long := func(d domain.Day) string { return d.Start(stage.China).Format("2006年01月02日 15:04:05") }
	return "#支付宝" + what + "查询\r\n#账号：[" + b.m.SellerID + "0156]\r\n" +
		"#起始日期：[" + long(b.day) + "]   终止日期：[" + long(b.day.Add(1)) + "]\r\n" +
		"#-----------------------------------------" + what + "列表----------------------------------------\r\n"
}

func foot(what string, sums ...string) string {
	text := "#-----------------------------------------" + what + "列表结束------------------------------------\r\n"
	for _, s := range sums {
		text += "#" + s + "\r\n"
	}
	return text
}

// row joins cells, each with the tab that keeps spreadsheets from making
// numbers of them.
func row(cells ...string) string { return strings.Join(cells, "\t,") + "\t\r\n" }

const tradeHeading = "支付宝交易号,商户订单号,业务类型,商品名称,创建时间,完成时间,门店编号,门店名称,操作员,终端号,对方账户,订单金额（元）," +
	"商家实收（元）,支付宝红包（元）,集分宝（元）,支付宝优惠（元）,商家优惠（元）,券核销金额（元）,券名称,商家红包消费金额（元）,卡消费金额（元）," +
	"退款批次号/请求号,服务费（元）,分润（元）,备注\r\n"

func (b file) tradeText(moves []move) string {
	var rows strings.Builder
	var count, sum, given [2]int64
	for _, v := range moves {
		kind, number, way, at := "交易", "", int64(1), 0
		if v.refund != nil {
			kind, number, way, at = "退款", v.refund.no, -1, 1
		}
		received := v.fen - v.given
		count[at]++
		sum[at] += way * received
		given[at] += way * v.given
		rows.WriteString(row(v.o.id, v.o.no, kind, cell(v.o.subject), clock(v.o.openedAt), clock(v.at), "", "", "", "", "*某(159****5620)",
			yuan(way*v.fen), yuan(way*received), "0.00", "0.00", "0.00", yuan(way*v.given), yuan(way*v.given), "", "0.00", "0.00",
			number, yuan(-way*fee(received)), "0.00", ""))
	}
	return b.head("业务明细") + tradeHeading + rows.String() + foot("业务明细",
		fmt.Sprintf("交易合计：%d笔，商家实收共%s元，商家优惠共%s元", count[0], yuan(sum[0]), yuan(given[0])),
		fmt.Sprintf("退款合计：%d笔，商家实收退款共%s元，商家优惠退款共%s元", count[1], yuan(sum[1]), yuan(given[1])))
}

// yuan is an amount as bills write it.
func yuan(n int64) string { return fen(n).Amount() }

// cell is a text that can have commas in it.
func cell(text string) string {
	if strings.ContainsAny(text, `,"`) {
		return `"` + strings.ReplaceAll(text, `"`, `""`) + `"`
	}
	return text
}

// plainCell reports a text that needs no quotes.
func plainCell(text string) bool {
	return text != "" && len(text) <= 64 && !strings.ContainsAny(text, "\",#") && !strings.ContainsFunc(text, unicode.IsControl)
}

const fundHeading = "账务流水号,业务流水号,商户订单号,商品名称,发生时间,对方账号,收入金额（+元）,支出金额（-元）,账户余额（元）,交易渠道,业务类型,备注\r\n"

// fundText lists each movement with the balance after it.
func (b file) fundText(entries []*entry) string {
	var rows strings.Builder
	var count, sum [2]int64
	for _, e := range entries {
		at, in, out := 0, yuan(e.fen), "0.00"
		if e.fen < 0 {
			at, in, out = 1, "0.00", yuan(e.fen)
		}
		count[at]++
		sum[at] += e.fen
		number, goods, who := "", "", "招商银行(1234)"
		if e.o != nil {
			number, goods, who = e.o.no, e.o.subject, "159****5620"
		}
		rows.WriteString(row(e.id, e.about, number, cell(goods), clock(e.at), who, in, out, yuan(e.balance), "支付宝", e.word, ""))
	}
	return b.head("账务明细") + fundHeading + rows.String() + foot("账务明细",
		fmt.Sprintf("支出合计：%d笔，共%s元", count[1], yuan(sum[1])),
		fmt.Sprintf("收入合计：%d笔，共%s元", count[0], yuan(sum[0])))
}
