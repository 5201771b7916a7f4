package alerts

import (
	"context"
	"fmt"
	"strings"

	"counterfoil/domain"
)

// policies finds settings that loosen a policy and are not in force.
func (w *Watch) policies(context.Context) ([]Alert, error) {
	if w.Waiting == nil {
		return nil, nil
	}
	var out []Alert
	for _, q := range w.Waiting() {
		if q.State != domain.PolicyWaiting {
			continue
		}
		out = append(out, Alert{
			Kind: "policy", Channel: string(q.Ask.Channel), TradeNo: q.Ask.Proposal.String(), Since: q.AskedAt,
			Text: fmt.Sprintf("Settings that loosen a policy wait for two persons and are not in force (%s): `counterfoil config approve %s`. "+
				"放宽策略的配置尚未生效，需两人批准。", strings.Join(q.Ask.Loosens, "; "), q.Ask.Proposal),
		})
	}
	return out, nil
}
