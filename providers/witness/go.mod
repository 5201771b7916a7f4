module counterfoil/providers/witness

go 1.26.0

require (
	counterfoil v0.0.0
	github.com/wechatpay-apiv3/wechatpay-go v0.2.21
)

require (
	github.com/shopspring/decimal v1.6.0 // indirect
	golang.org/x/time v0.16.0 // indirect
)

replace counterfoil => ../..
