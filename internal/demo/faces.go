package demo

import (
	"counterfoil/domain"
	"counterfoil/sandbox/alipay"
	"counterfoil/sandbox/stage"
	"counterfoil/sandbox/stripe"
	"counterfoil/sandbox/wechatpay"
)

// mountFaces puts the other providers beside the gateway, one merchant each.
func (s *scene) mountFaces() error {
	for _, make := range []func(*stage.Stage) (stage.Face, error){
		func(on *stage.Stage) (stage.Face, error) {
			return made(wechatpay.New(on, wechatpay.Config{
				BaseURL: s.boxAt + "/" + wechatpay.Name, Merchants: []wechatpay.Merchant{{MchID: "1900000109"}},
			}))
		},
		func(on *stage.Stage) (stage.Face, error) {
			return made(alipay.New(on, alipay.Config{
				BaseURL: s.boxAt + "/" + alipay.Name, Merchants: []alipay.Merchant{{AppID: "2021000000000001"}},
			}))
		},
		func(on *stage.Stage) (stage.Face, error) {
			return made(stripe.New(on, stripe.Config{
				BaseURL: s.boxAt + "/" + stripe.Name, Accounts: []stripe.Account{{ID: "acct_demo", Currency: domain.USD}},
			}))
		},
	} {
		f, err := make(s.box.Stage())
		if err != nil {
			return err
		}
		if err := s.box.Mount(f); err != nil {
			return err
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
