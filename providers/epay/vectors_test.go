package epay

// The published sample keys and messages of the protocol. None of the keys is
// anybody's secret.

const (
	sampleKey = "89unJUB8HZ54Hj7x4nUj56HN4nUzUJ8i"
	shortKey  = "epaytestkey"

	merchantPublicKey = "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAuWL5JqvB0rMcvStdUOz5qnN7ZWNtg0dpx6Id/10EbR/RyvywHLlUN+QGfeuCeObxUBrYBDytUmLToWnP8soW4aQfGwywSpUrUcOpJR4nHWnyJ/KId3PA2r1wsGWPprwR3t3v7PLrngm45I0rxpKq8wvmFCrFRYajKSFUGt769JaK8dj+MsCNq2oRllLJQXJ761M0xFdU4+XKmm1MJhW124wIpqRH6I8FWmYQr/8RYXAV8N4fF0qi6k5T7Rul1Gg/VXHbUnVcDwuzoAfULsHHxWqV+nnuTruvUc+m6XxxumhEF2xddoyS9r/wMqx/uP6euw2y3qScjfWWwfnffZodcQIDAQAB"
	platformPublicKey = "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAr3vxlS52EziJfdlkHlyWPTnFwaADPezp15F4u+5ysEHeATG2lePVUJFFd9bmNX5eb8pP2OLuYW4cJiXQ4vG/yXZR3jr/LD+8uDrBN7P3vfW6m9daobTW6SYrEvmkIvV8r7ETJrYotdGaR7W3HsnvQ1T3gJ3H0Eu6ebhJahMmopDjLfx+VUJ2Jibqs/pWCpze+QXhJTK1cupaA0+SZgWSuav8mhYf/XMbfD52BCOPIPDdE//Aa5KA1s6Idy8Fi5O5/b/TDxIY+sZ/tM1BtdQB+0DmDLVYJBmKP8xyRcDxlb7M7BSjKz9NJBgLnZUhhzGnPSzXcTIAV+0yXCvo4kW6WQIDAQAB"
)

type md5Vector struct {
	name, key, text, sign string
}

var md5Vectors = []md5Vector{
	{
		"V1-1 order form", sampleKey,
		`money=1.00&name=VIP会员&notify_url=http://www.pay.com/notify_url.php&out_trade_no=20160806151343349&pid=1001&return_url=http://www.pay.com/return_url.php&type=alipay`,
		"427724b6656aa612cfdbe7a2262036a3",
	},
	{
		"V1-2 callback", sampleKey,
		`money=1&name=VIP会员&out_trade_no=20160806151343349&pid=1001&trade_no=2016080615134334902&trade_status=TRADE_SUCCESS&type=alipay`,
		"a1c7b4738eb83a42f2e62279b00b6aca",
	},
	{
		"V1-3 money 1.00", sampleKey,
		`money=1.00&name=VIP会员&out_trade_no=20160806151343349&pid=1001&trade_no=2016080615134334902&trade_status=TRADE_SUCCESS&type=alipay`,
		"05962955df324f4de0a6eb5428f56f56",
	},
	{
		"V1-4 reserved characters", sampleKey,
		`money=0.1&name=a+b c&d=e%20/中&out_trade_no=20160806151343349&param=u=7&pid=1001&trade_no=2016080615134334902&trade_status=TRADE_SUCCESS&type=wxpay`,
		"8dafab187e9f134c00515e8191c2fe33",
	},
	{
		"V1-5 New-API form", shortKey,
		`device=pc&money=7.30&name=TUC1&notify_url=https://api.example.com/api/user/epay/notify&out_trade_no=USR2NOqXYmVy1795301684&pid=1001&return_url=https://api.example.com/log&type=alipay`,
		"f8bccaabda61896207f3490fddf5202d",
	},
	{
		"V1-6 New-API callback", shortKey,
		`money=7.3&name=TUC1&out_trade_no=USR2NOqXYmVy1795301684&pid=1001&trade_no=2026112219013300001&trade_status=TRADE_SUCCESS&type=alipay`,
		"310b5cf7601da325e0d0b877369c113c",
	},
	{
		"AMB", sampleKey,
		`device=pc&money=7.30&name=TUC1&notify_url=https://m.example/n&out_trade_no=A1&pid=1001&return_url=https://evil.example/?a=1&trade_no=T1&trade_status=TRADE_SUCCESS&type=alipay`,
		"f0f4adea9e225a1437d2484f101e4e70",
	},
	{
		"AMB2", sampleKey,
		`money=0.01&name=x&out_trade_no=VICTIM&pax=1&out_trade_no=REAL-CHEAP&pid=1001&trade_no=T1&trade_status=TRADE_SUCCESS&type=alipay`,
		"907c0b0a72314dfaf10deb8fd75eab5a",
	},
}

type rsaVector struct {
	name, key, text, sign string
}

var rsaVectors = []rsaVector{
	{
		"V2-1 order form", merchantPublicKey,
		`money=1.00&name=VIP会员&notify_url=http://www.pay.com/notify_url.php&out_trade_no=20160806151343349&pid=1001&return_url=http://www.pay.com/return_url.php&timestamp=1721206072&type=alipay`,
		"WkBmj0+7KBI2eGOW3atTBQiSNNb4NYKRzEc8q+QsJhiDKBH7psWep72aoYMPGvuSYmj471fEe8VP993g12Qkrh9eN4gp+capO8B6kJTezFnW+nsmL88GbTjHl7eKRcsPEy7CcOY6sIW0oyYaZyvkJYXS+te+Fvr35IJoeUnkx3/c5Dnx4h9sg2kz0ZPn/C4YkxZxRZSQi8/FtSJtE7XqyZRy1jxFaJxaa5Fbyu+uTQVDZN65ftIBo0PIHbKgOZy9Lmn8VJDbeF0Ml91NMCFDZ88M4ries2ew9qUNqdm3ZdnUSueBB/VAmRC2w1tpwYyv20W5bXacd/wOw6Y6DYK6HA==",
	},
	{
		"V2-2 callback", platformPublicKey,
		`api_trade_no=40001249985198893&buyer=2088000000000000&money=1&name=VIP会员&out_trade_no=20160806151343349&pid=1001&timestamp=1721206072&trade_no=2016080615134334902&trade_status=TRADE_SUCCESS&type=alipay`,
		"WfeknPCWE1Y537j+h7sVJTZ+eY0nZK3S7krJYTtPRSHdDa+TGm9fe5Swxbj7R4Zy/tFiXOGc14ViuGRcpe38oAt1S0NDNa2+DIJVgEkrFjNheYceuHLditPRn8t/b2GmZsa0pu33zcMlEcMStHkNQLamF7nmxjpVVke5umooNUGAN5BDxvLY7sAkFk0A3zzxi1F6CCxnJ3Mg2RzZ93GDarAHjJf6aThfKNxhqFc+qXQhJ/iJdwFp2SLjnPgBJ5v/sgGkN1eOTE502cnmvIEqdwO/34T4G5zXJueOxC3reygtq1cyW+cYiqWcpJgOw8R4lBk6iimdAFiVIgbt2SRmfQ==",
	},
	{
		"V2-3 query reply", platformPublicKey,
		`addtime=2024-07-17 16:47:32&api_trade_no=40001249985198893&clientip=192.168.1.100&code=0&endtime=2024-07-17 16:49:24&money=1.00&name=VIP会员&out_trade_no=20160806151343349&pid=1001&status=1&timestamp=1721206072&trade_no=2016080615134334902&type=alipay`,
		"pfwzqIadEteKSB7g+++QLz0Rg3x8txr913sh/utT3HsSVGc7O0cKSEorJ/XG24IdNAW3ht+EsuP3ZJXTJCTBSFgEh4Q71h4itU1hJ8AGjLdUUBF3+4l81YoCoFTFl0cf+7ujx9nGRlFCjx1JPvkEHArN7q3QVOuMe6VtvljHRoEc90AEmZwSzVMP47GJwK2iWAgR9jpxs0jLrDQ22/P9ORL/wMgrWpQLM4EKgzC3LyA9BBuPPNVZEjg7Jaz9etk7XmWOOUnwgF3q5xPPLl5sWWLjFSXE4SZOv++oKY9ZFxrNX8v5/ki2S85aS0EnCBL7N7qSN6NsZ4lwTIQKIUiLyQ==",
	},
}
