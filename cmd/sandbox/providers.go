package main

import (
	"encoding/json"
	"os"
	"strings"

	"counterfoil/domain"
	"counterfoil/sandbox"
	"counterfoil/sandbox/alipay"
	"counterfoil/sandbox/stage"
	"counterfoil/sandbox/stripe"
	"counterfoil/sandbox/wechatpay"
)

// others are the merchants at the providers beside the Epay gateway, as the
// file of --providers has them. Keys that are left out are made.
type others struct {
	WechatPay []wechatpay.Merchant `json:"wechatpay"`
	Alipay    []alipay.Merchant    `json:"alipay"`
	Stripe    []stripe.Account     `json:"stripe"`
}

// every is one merchant at each provider, for --all.
var every = others{
	WechatPay: []wechatpay.Merchant{{MchID: "1900000109"}},
	Alipay:    []alipay.Merchant{{AppID: "2021000000000001"}},
	Stripe:    []stripe.Account{{ID: "acct_sandbox", Currency: domain.USD}},
}

func (o *others) add(more others) {
	o.WechatPay = append(o.WechatPay, more.WechatPay...)
	o.Alipay = append(o.Alipay, more.Alipay...)
	o.Stripe = append(o.Stripe, more.Stripe...)
}

func (o *others) addWechatPay(text string) error {
	account, protocol, _ := strings.Cut(text, ":")
	mchid, sub, _ := strings.Cut(account, "/")
	o.WechatPay = append(o.WechatPay, wechatpay.Merchant{MchID: mchid, SubMchID: sub, Protocol: protocol})
	return nil
}

func (o *others) addAlipay(text string) error {
	app, seller, _ := strings.Cut(text, ":")
	o.Alipay = append(o.Alipay, alipay.Merchant{AppID: app, SellerID: seller})
	return nil
}

func (o *others) addStripe(text string) error {
	id, code, given := strings.Cut(text, ":")
	a := stripe.Account{ID: id}
	if given {
		currency, err := domain.ParseCurrency(code)
		if err != nil {
			return err
		}
		a.Currency = currency
	}
	o.Stripe = append(o.Stripe, a)
	return nil
}

func (o *others) addFile(file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	d := json.NewDecoder(f)
	d.DisallowUnknownFields()
	var more others
	if err := d.Decode(&more); err != nil { //nolint:musttag // the settings of merchants are named as in Go, in any case
		return err
	}
	o.add(more)
	return nil
}

// mount puts the faces that have merchants beside the gateway. Base is the
// sandbox's root as others reach it.
func (o *others) mount(box *sandbox.Sandbox, base string) error {
	base = strings.TrimRight(base, "/")
	for _, face := range []struct {
		wanted bool
		make   func(*stage.Stage) (stage.Face, error)
	}{
		{len(o.WechatPay) > 0, func(s *stage.Stage) (stage.Face, error) {
			return made(wechatpay.New(s, wechatpay.Config{BaseURL: base + "/" + wechatpay.Name, Merchants: o.WechatPay}))
		}},
		{len(o.Alipay) > 0, func(s *stage.Stage) (stage.Face, error) {
			return made(alipay.New(s, alipay.Config{BaseURL: base + "/" + alipay.Name, Merchants: o.Alipay}))
		}},
		{len(o.Stripe) > 0, func(s *stage.Stage) (stage.Face, error) {
			return made(stripe.New(s, stripe.Config{BaseURL: base + "/" + stripe.Name, Accounts: o.Stripe}))
		}},
	} {
		if !face.wanted {
			continue
		}
		f, err := face.make(box.Stage())
		if err != nil {
			return err
		}
		if err := box.Mount(f); err != nil {
			return domain.E(domain.KindOf(err), "mount %s: %w", f.Name(), err)
		}
	}
	return nil
}

// made keeps a nil pointer from becoming a face that is not nil.
func made[F stage.Face](f F, err error) (stage.Face, error) {
	if err != nil {
		return nil, err
	}
	return f, nil
}
