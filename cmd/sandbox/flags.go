package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"strconv"
	"strings"

	"counterfoil/domain"
	"counterfoil/sandbox"
)

const usage = `sandbox: payment providers for tests. No real money moves.

At the root an Epay (易支付) gateway, V1 (MD5) and V2 (RSA); beside it, where they
are asked for, WeChat Pay, Alipay and Stripe. They take orders, show a page to
pay on, call the merchant back on the providers' retry schedules and answer
queries, refunds and bills, with real keys. Faults can be planted by button, by
API and by chance. Open the listen address in a browser.

Usage:
  sandbox [flags]

Examples:
  sandbox
        two merchants, 1001 (V1) and 1002 (V2), with keys made at the start
  sandbox --seed 7 --speed 600 --merchant 1001:v1:89unJUB8HZ54Hj7x4nUj56HN4nUzUJ8i
        one merchant with a given key; a minute of waiting takes 100 ms
  sandbox --merchant 1001:v1 --merchant 1003:v1::credit --every-fault 0.02
        a second style of gateway, and each fault on 2 % of the payments
  sandbox --all
        one merchant at every provider
  sandbox --wechatpay 1900000109 --wechatpay 1900000110:v2 --alipay 2021000000000001
        WeChat Pay v3 and v2 and Alipay, with keys made at the start
  sandbox --wechatpay 1900000300/1900000301 --wechatpay 1900000300/1900000302
        a WeChat Pay partner (服务商) and two merchants he collects for
  sandbox --merchant 1001:v1 --fault lost=0.1 --fault query_5xx=0.2
        only these faults

Control it with JSON, for example:
  curl -X POST http://127.0.0.1:7080/sandbox/orders/TRADE_NO/pay
  curl -X POST http://127.0.0.1:7080/sandbox/orders/TRADE_NO/faults -d '{"class":"repeated","copies":5}'
  curl http://127.0.0.1:7080/sandbox/books
  curl -X POST http://127.0.0.1:7080/sandbox/faces/wechatpay/orders/ID/refunds -d '{}'

Flags:
`

// options is what the command line says.
type options struct {
	listen  string
	remote  bool
	verbose bool
	config  sandbox.Config
	others  others

	everyFault float64 // share of the payments that each fault falls to
}

// parse reads the command line. KindInvalid names the wrong flag.
func parse(args []string, errs io.Writer) (options, error) {
	var o options
	fs := flag.NewFlagSet("sandbox", flag.ContinueOnError)
	fs.SetOutput(errs)
	fs.Usage = func() { fmt.Fprint(errs, usage); fs.PrintDefaults() }
	fs.StringVar(&o.listen, "listen", "127.0.0.1:7080", "`address` to listen on; port 0 takes a free one")
	fs.BoolVar(&o.remote, "allow-remote", false, "listen on an address that others can reach: there is no login")
	fs.BoolVar(&o.verbose, "verbose", false, "log every callback")
	fs.StringVar(&o.config.BaseURL, "base-url", "", "gateway root as merchants and payers reach it, when not the listen address")
	fs.Uint64Var(&o.config.Seed, "seed", 1, "`number` that every choice follows from")
	fs.Float64Var(&o.config.Speed, "speed", 1, "`factor` by which waiting times pass faster; 600 makes a minute 100 ms")
	fs.Func("merchant", "`PID:VERSION[:KEY[:STYLE]]`, for example 1001:v1:KEY; repeat for more.\n"+
		"VERSION is v1 or v2; an empty KEY is made; STYLE is one of "+styleNames(), o.addMerchant)
	fs.Func("merchants", "JSON `file` with a list of merchants and all their settings", o.addMerchants)
	fs.Func("wechatpay", "`MCHID[/SUB_MCHID][:PROTOCOL]`: a merchant at WeChat Pay, v3 or v2,\nwith SUB_MCHID one that MCHID collects for as a partner; repeat for more", o.others.addWechatPay)
	fs.Func("alipay", "`APP_ID[:SELLER_ID]`: a merchant at Alipay; repeat for more", o.others.addAlipay)
	fs.Func("stripe", "`ACCOUNT[:CURRENCY]`: an account at Stripe, such as acct_1:USD; repeat for more", o.others.addStripe)
	fs.Func("providers", "JSON `file` with merchants and their keys, such as {\"wechatpay\": [{\"mchid\": \"1900000109\"}]}", o.others.addFile)
	all := fs.Bool("all", false, "one merchant at every provider")
	fs.Func("fault", "`CLASS=SHARE`: a fault on a share (0 to 1) of the payments; repeat for more", o.addFault)
	share := fs.Float64("every-fault", 0, "`share` of the payments that each fault falls to")
	if err := fs.Parse(args); err != nil {
		return o, asInvalid(err)
	}
	if fs.NArg() > 0 {
		return o, domain.E(domain.KindInvalid, "unknown argument %q; see sandbox --help", fs.Arg(0))
	}
	if *all {
		o.others.add(every)
	}
	return o, o.finish(*share)
}

// asInvalid leaves a call for help alone and makes the rest a usage error.
func asInvalid(err error) error {
	if err == flag.ErrHelp { //nolint:errorlint // flag returns exactly this value
		return err
	}
	return domain.E(domain.KindInvalid, "%w", err)
}

func (o *options) finish(share float64) error {
	if math.IsNaN(share) || share < 0 || share > 1 {
		return domain.EField(domain.KindInvalid, "every-fault", "--every-fault %g is not 0 to 1", share)
	}
	o.everyFault = share
	if len(o.config.Merchants) == 0 {
		o.config.Merchants = []sandbox.MerchantConfig{{PID: "1001", Version: sandbox.V1}, {PID: "1002", Version: sandbox.V2}}
	}
	if o.remote {
		return nil
	}
	host, _, err := net.SplitHostPort(o.listen)
	if ip := net.ParseIP(host); err != nil || (host != "localhost" && (ip == nil || !ip.IsLoopback())) {
		return domain.EField(domain.KindInvalid, "listen",
			"--listen %q is not a loopback address with a port; there is no login, so others need --allow-remote", o.listen)
	}
	return nil
}

func (o *options) addMerchant(text string) error {
	parts := strings.SplitN(text, ":", 4)
	if len(parts) < 2 {
		return domain.E(domain.KindInvalid, "want PID:VERSION[:KEY[:STYLE]]")
	}
	m := sandbox.MerchantConfig{PID: parts[0], Version: sandbox.Version(parts[1])}
	if len(parts) > 2 {
		m.Key = parts[2]
	}
	if len(parts) > 3 {
		m.Style = sandbox.Style(parts[3])
	}
	o.config.Merchants = append(o.config.Merchants, m)
	return nil
}

func (o *options) addMerchants(file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	d := json.NewDecoder(f)
	d.DisallowUnknownFields()
	var list []sandbox.MerchantConfig
	if err := d.Decode(&list); err != nil {
		return err
	}
	o.config.Merchants = append(o.config.Merchants, list...)
	return nil
}

func (o *options) addFault(text string) error {
	class, share, found := strings.Cut(text, "=")
	n, err := strconv.ParseFloat(share, 64) //nolint:forbidigo // a share of payments, not an amount
	if !found || err != nil {
		return domain.E(domain.KindInvalid, "want CLASS=SHARE, for example lost=0.05")
	}
	o.config.Rates = append(o.config.Rates, sandbox.Rate{Fault: sandbox.Fault{Class: sandbox.Class(class)}, Share: n})
	return nil
}

func styleNames() string {
	var names []string
	for _, s := range sandbox.Styles() {
		names = append(names, string(s))
	}
	return strings.Join(names, ", ")
}
