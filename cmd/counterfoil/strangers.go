package main

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"

	"counterfoil/audit"
	"counterfoil/domain"
	"counterfoil/providers"
	"counterfoil/providers/alipay"
	"counterfoil/providers/epay"
	"counterfoil/providers/wechatpay"
)

// strangers makes channels that verify evidence with recorded public keys, and
// read what is encrypted with the secrets that somebody handed out: those of
// protocols whose signatures anyone can check. The others have a shared secret.
func (p *program) strangers(cfgs []domain.ChannelConfigured, secrets audit.Secrets) map[domain.ChannelID]providers.Channel {
	out := map[domain.ChannelID]providers.Channel{}
	for _, c := range cfgs {
		ch, err := p.stranger(c, secrets[c.Channel])
		if err == nil && ch != nil {
			out[c.Channel] = ch
		}
	}
	return out
}

// stranger is a channel as its settings tell, nil when they do not suffice. It
// gets a private key made on the spot, since a channel cannot be without; it
// signs nothing.
func (p *program) stranger(c domain.ChannelConfigured, secrets []string) (providers.Channel, error) {
	if c.Provider == "wechatpay" && c.Protocol == wechatpay.V3 {
		return wechatpay.NewStranger(c, secrets, p.clock)
	}
	theirs := publicKeys(c)
	if len(theirs) == 0 {
		return nil, nil
	}
	throwaway, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	ours := providers.NewSecret(base64.StdEncoding.EncodeToString(x509.MarshalPKCS1PrivateKey(throwaway)))
	switch {
	case c.Provider == "epay" && c.Protocol == epay.V2:
		return epay.New(epay.Config{
			Channel: c.Channel, Version: epay.V2, Gateway: c.Gateway, PID: c.Merchant["pid"], PlatformKey: theirs[0], MerchantKey: ours,
			Currency: c.Currency, Zone: c.Zone, Confirm: c.Confirm, ConfirmAbove: c.ConfirmAbove, Funds: c.Funds, AllowPlainHTTP: true,
			Ledger: domain.ID{1}, // it salts marks of shared secrets, of which there are none
		}, nil, p.clock)
	case c.Provider == "alipay":
		return alipay.New(alipay.Config{
			Channel: c.Channel, Gateway: c.Gateway, AppID: c.Merchant["app_id"], SellerID: c.Merchant["seller_id"], AppKey: ours,
			AlipayKeys: theirs, AccountFrom: c.AccountFrom, Confirm: c.Confirm, ConfirmAbove: c.ConfirmAbove, AllowPlainHTTP: true,
		}, nil, p.clock)
	}
	return nil, nil
}

// publicKeys are the provider's keys among those of a channel.
func publicKeys(c domain.ChannelConfigured) []string {
	var out []string
	for _, k := range c.PublicKeys {
		if k.Use != "merchant" {
			out = append(out, base64.StdEncoding.EncodeToString(k.DER))
		}
	}
	return out
}
