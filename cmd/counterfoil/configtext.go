package main

import (
	"strconv"
	"strings"

	"counterfoil/domain"
	"counterfoil/internal/config"
)

// configText is the configuration that init writes: every setting with its
// default and what it is for, as a person's first read. It is loaded and
// checked before anything is made, so it cannot drift from the settings.
func configText(s initSettings) string {
	d := config.Defaults()
	channel := liveChannel
	if s.Mode == string(domain.ModeTest) {
		channel = testChannel
	}
	return strings.NewReplacer(
		"{mode}", s.Mode,
		"{store}", strconv.Quote(s.Store),
		"{namespace}", optional("store_namespace", s.Namespace, config.DefaultNamespace),
		"{user_file}", optional("store_user_file", s.UserFile, "secrets/store.user"),
		"{password_file}", optional("store_password_file", s.PasswordFile, "secrets/store.password"),
		"{public_url}", strconv.Quote(s.PublicURL),
		"{listen}", strconv.Quote(s.Listen),
		"{ops_listen}", strconv.Quote(s.OpsListen),
		"{conns}", strconv.Itoa(d.Limits.ConnsPerAddress),
		"{reply_within}", d.Limits.ReplyWithin.String(),
		"{cache_mb}", strconv.Itoa(d.Limits.CacheMB),
		"{expire_after}", d.Payments.ExpireAfter.String(),
		"{draws_zone}", d.Draws.Zone,
		"{reconciler_ops}", strconv.Quote(d.Reconciler.OpsListen),
		"{sweep_every}", d.Reconciler.SweepEvery.String(),
		"{first_ask}", d.Reconciler.FirstAsk.String(),
		"{queries}", strconv.Itoa(d.Reconciler.Queries),
		"{ask_per_second}", strconv.FormatFloat(d.Reconciler.AskPerSecond, 'g', -1, 64),
		"{self_check}", d.Reconciler.SelfCheck.String(),
		"{held_after}", d.Alerts.HeldAfter.String(),
		"{tree_every}", d.Tree.Every.String(),
		"{tree_quiet}", d.Tree.Quiet.String(),
		"{stamp_every}", d.Tree.Stamps.Every.String(),
		"{channel}", channel,
	).Replace(configTemplate)
}

// optional is a line of the file, commented out with an example while it has no
// value.
func optional(name, value, example string) string {
	if value == "" {
		return "# " + name + ": " + example
	}
	return name + ": " + strconv.Quote(value)
}

const configTemplate = `# Counterfoil configuration of a {mode} store. 配置文件：改完先运行
#   counterfoil config check --dir THIS_FOLDER
# Any setting can also come from the environment: COUNTERFOIL_LISTEN,
# COUNTERFOIL_ALERTS__URL, COUNTERFOIL_CHANNELS__EPAY_MAIN__KEY.

# sqlite, or the address of an EventStoreDB or KurrentDB (23.10 or newer), such as
# esdb://host:2113 or esdb+discover://cluster.example; never with a password in it.
# 账本存储：单机用 sqlite，多机用 EventStoreDB
store: {store}
# Of a server only: what begins the names of our streams there, and files that
# hold its user and password. 仅用于 EventStoreDB
{namespace}
{user_file}
{password_file}

# Where providers reach this API from outside. Callback addresses are derived
# from it: <public_url>/callbacks/<channel>. 回调地址由它推导，不手填。
public_url: {public_url}

# How long evidence is kept before "counterfoil erase" may destroy it; 0s: ten
# years, and never less in a live store. 证据保存期
retention: 0s

# API and callbacks. Put a TLS proxy before it. 监听地址
listen: {listen}
# Health, metrics, version. Keep it on loopback. 仅限本机
ops_listen: {ops_listen}

log_format: json   # json or text
log_level: info    # debug, info, warn, error

limits:
  conns_per_address: {conns}   # open connections of one address
  trusted_proxies: []     # CIDRs whose X-Forwarded-For is believed, e.g. [127.0.0.1/32] 反代地址
  reply_within: {reply_within}        # a callback is answered within it
  cache_mb: {cache_mb}           # page cache of the event store

payments:
  expire_after: {expire_after}    # how long an order can be paid when the request does not say 订单有效期

# What the application reports that customers have spent (POST /v1/accounts/…/draws). 消费上报
draws:
  zone: {draws_zone}     # in which its days are cut

# The daemon that asks providers about unpaid, held and credited orders. 对账与补单
reconciler:
  ops_listen: {reconciler_ops}
  sweep_every: {sweep_every}
  first_ask: {first_ask}         # an unpaid order is first asked for this long after placing
  queries: {queries}              # questions at once
  ask_per_second: {ask_per_second}      # to one channel
  self_check_every: {self_check}
  pace: 1                 # 1 is real time; more only in test stores: 600 plays ten minutes in a second

# Comparing the books with the providers' bills, every day. 对账单
# Raising a max_ is in force when two persons agreed: counterfoil config pending.
bills:
  archive: archive        # the bills as they came, for ever; back it up 账单原件
  catch_up: 31            # days back for which missing bills are fetched
  max_items: 5000         # a run that finds more differences concludes nothing: a person must look
  max_percent: 20         # the same, in a hundred lines of the day
  max_proposals: 20       # corrections that one run may propose to people; more, and it proposes none
  max_proposal_percent: 5 # the same, in a hundred lines of the day
  ask_instead: false      # where a provider makes no bills (Epay): ask about each payment of the day
# A channel can also say: bill_schedule ("*/5 * * * *", in its own zone), bill_wait_days,
# bill_cut, bill_apart, fee_rate ("0.006"), fee_within ("0.01") and fund_flow (false: do
# not compare the provider's fund flow, 资金账单, beside its trade bill).

# Where trouble is told, besides log and metrics. 告警
alerts:
  url: ""                 # JSON is POSTed there
  command: []             # run with the JSON on standard input, e.g. [/usr/local/bin/notify]
  held_after: {held_after}      # money that waits for confirmation this long
  silence_after: 0s       # no callback for this long; 0s: silence is not told

# The signed tree over the log, for auditors and witnesses. 防篡改日志
tree:
  public: false           # true: /checkpoint and /tile/ (hashes only) need no API key
  every: {tree_every}              # under load the tree is signed so often
  quiet: {tree_quiet}               # and when no event came for so long
  time_stamps:
    url: ""               # RFC 3161 authority that dates the signed head; "": none is asked. 时间戳
    roots: ""             # PEM file of its root certificate
    every: {stamp_every}

# One entry for each merchant account. Its name is its id for ever. 支付渠道
{channel}`

const liveChannel = `channels: {}
# channels:
#   epay-main:
#     provider: epay
#     protocol: v1                      # v1: MD5 with a shared key; v2: RSA 易支付
#     gateway: https://pay.example.org  # without submit.php 网关地址
#     pid: "1001"                       # 商户ID
#     key_file: secrets/epay-main.key   # 商户密钥，单独存放
#     # v2 has, instead of key or key_file: merchant_key or merchant_key_file (our private
#     # key, 商户私钥) and platform_key or platform_key_file (theirs, public, 平台公钥)
#     confirm_by_query: always          # always, never, or above 100.00: ask before money moves 回调后查单确认
#     currency: CNY
#     zone: Asia/Shanghai
#     funds: gateway                    # who holds the money before payout: gateway or own_account
#     # Any channel: limits of what two people may decide of its money, in its currency. 人工更正限额
#     correction_limit: "5000.00"           # by one correction
#     correction_limit_person: "20000.00"   # of what one person proposes in a day
#     correction_limit_account: "10000.00"  # for one account in a day
#   wechat-main:
#     provider: wechatpay               # 微信支付
#     protocol: v3                      # v3, or v2 with api_key and sign_type (MD5 or HMAC-SHA256)
#     mchid: "1900000109"               # 商户号
#     appids: [wx0123456789abcdef]      # those that may pay; partner mode: sub_mchid and sub_appids, too
#     api_v3_key_file: secrets/wechat.v3key
#     merchant_serial: 0123456789ABCDEF0123456789ABCDEF01234567  # of our certificate 证书序列号
#     merchant_key_file: secrets/wechat.key
#     platform_keys: {PUB_KEY_ID_0123456789: secrets/wechat.pub.pem}  # without it certificates are downloaded 平台公钥
#     # Of the past, for kept evidence: old_api_v3_keys_file; retired_platform_keys: {ID: 2026-12-31}
#     account_from: attach              # names the account of an order that nobody placed; none turns it off
#   alipay-main:
#     provider: alipay                  # 支付宝
#     app_id: "2021000000000000"
#     seller_id: "2088100000000000"
#     app_key_file: secrets/alipay.key  # our private key 应用私钥
#     alipay_keys: [secrets/alipay.pub.pem]  # theirs 支付宝公钥; certificates with app_cert and alipay_root_cert
#   stripe-main:
#     provider: stripe
#     live: true
#     api_key_file: secrets/stripe.key
#     webhook_secrets_file: secrets/stripe.webhooks  # one a line; former ones: retired_secrets_file
#     currency: USD
#     currencies: [USD, EUR]
#     order_key: order_no               # metadata key of the order number
#     account: acct_0123456789          # only of a connected account
#     api_version: "2025-11-17.clover"
#     dispute_lost: wallet              # who bears a lost dispute: wallet or expense
`

const testChannel = `channels: {}
# A channel of the sandbox (cmd/sandbox), play money only:
# channels:
#   epay-test:
#     provider: epay
#     protocol: v1
#     gateway: http://127.0.0.1:7080    # where the sandbox listens
#     allow_plain_http: true            # only for a gateway on this machine
#     pid: "1001"
#     key_file: secrets/epay-test.key
#     confirm_by_query: always
#     test: true                        # 测试渠道，只能用于测试账本
`
