package alipay

import (
	"slices"
	"strconv"
	"strings"

	"counterfoil/domain"
	wire "counterfoil/providers/alipay"
)

// What an attacker writes into his own order: the beginning of fields that the
// signed text has elsewhere, and of others that swallow what stands between.
const (
	baitGoods = "x&total_amount="
	baitBody  = "x&out_trade_no="
	swallowed = "&total_zz=1"
	passes    = "&passback_params=1"
)

// recut pays an order of Money of its own, whose goods name and body were chosen
// so that its signed text can be cut anew: read at other places, it names the
// victim and the victim's amount, and the signature holds. The caller holds f.mu.
func (f *Face) recut(victim *order, money string) []message {
	price, err := domain.ParseMoney(money, domain.CNY)
	if err != nil || !price.IsPositive() {
		return nil
	}
	amount := price.Minor()
	bait := f.made(victim.m, order{
		no: "BAIT" + digitsOf(16, victim.id, strconv.Itoa(len(f.all))), subject: baitGoods + yuan(victim.total) + swallowed, notifyURL: victim.notifyURL,
		total: amount, bait: true,
	})
	bait.paid, bait.state, bait.scanned, bait.paidAt = amount, paidFor, true, f.stage.Books()
	f.enterPayment(bait)
	msg := bait.message()
	msg.kind = string(Ambiguous)
	msg.fields = msg.fields.With("body", baitBody+victim.no+passes).With("notify_id", digitsOf(32, bait.id, "bait"))
	msg.manner = cutAnew
	return []message{msg}
}

// cut reads the text of a message at other places. A name begins behind each
// '&' that is followed by one of the names.
func cut(text string) wire.Params {
	var fields wire.Params
	names := []string{
		"app_id", "auth_app_id", "body", "out_trade_no", "passback_params", "seller_id", "subject", "total_amount", "total_zz", "trade_no",
		"trade_status", "version",
	}
	for piece := range strings.SplitSeq(text, "&") {
		name, value, _ := strings.Cut(piece, "=")
		_, taken := fields.Lookup(name)
		if len(fields) > 0 && (taken || !slices.Contains(names, name)) {
			fields[len(fields)-1].Value += "&" + piece
			continue
		}
		fields = append(fields, wire.Param{Name: name, Value: value})
	}
	return fields
}
