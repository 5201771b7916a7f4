module counterfoil/providers/witness

go 1.26.0

require (
	counterfoil v0.0.0
	github.com/smartwalle/alipay/v3 v3.2.25
	github.com/smartwalle/nsign v1.0.9
	github.com/stripe/stripe-go/v83 v83.2.1
	github.com/wechatpay-apiv3/wechatpay-go v0.2.21
)

require (
	github.com/shopspring/decimal v1.6.0 // indirect
	github.com/smartwalle/ncrypto v1.0.4 // indirect
	github.com/smartwalle/ngx v1.0.9 // indirect
	golang.org/x/text v0.43.0 // indirect
)

replace counterfoil => ../..
