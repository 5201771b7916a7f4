package wechatpay

import (
	"slices"

	"counterfoil/domain"
)

// merchantNames are the names by which a message calls its merchant.
type merchantNames struct {
	mchID, appID, subMchID, subAppID string
	payment                          bool // only a payment must name its app
}

// recognise compares them with the channel's: the same platform key signs for
// every merchant of WeChat Pay.
func (cfg Config) recognise(n merchantNames) error {
	switch {
	case n.mchID != cfg.MchID:
		return domain.E(domain.KindForged, "rightly signed, but for another mchid")
	case n.subMchID != cfg.SubMchID:
		return domain.E(domain.KindForged, "rightly signed, but for another sub_mchid")
	case (n.payment || n.appID != "") && !slices.Contains(cfg.AppIDs, n.appID):
		return domain.E(domain.KindForged, "rightly signed, but for another appid")
	case n.subAppID != "" && len(cfg.SubAppIDs) > 0 && !slices.Contains(cfg.SubAppIDs, n.subAppID):
		return domain.E(domain.KindForged, "rightly signed, but for another sub_appid")
	}
	return nil
}

// account is whose payment an order is, by the attach field that the site gave
// it; empty where that is no account.
func (c *Channel) account(attach string) domain.AccountID {
	if c.cfg.AccountFrom != AttachAccount {
		return ""
	}
	id, err := domain.ParseAccountID(attach)
	if err != nil {
		return ""
	}
	return id
}
