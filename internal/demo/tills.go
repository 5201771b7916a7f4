package demo

import (
	"fmt"
	"strings"
	"time"

	"counterfoil/domain"
	"counterfoil/sandbox"
	"counterfoil/sandbox/stage"
	"counterfoil/sandbox/stripe"
	"counterfoil/sandbox/wechatpay"
)

// till is a channel of ours and the merchant account behind it.
type till struct {
	channel  string
	face     string // the provider
	merchant string // the account there
	currency domain.Currency
	confirm  string // confirm_by_query; empty leaves the provider's default
	refunds  bool   // the provider tells how much was refunded; else people have to book it
}

// gateways are the accounts at the Epay gateway: confirmed by query, believed,
// and signed with RSA.
var gateways = []struct {
	till
	version sandbox.Version
	style   sandbox.Style
}{
	{till{channel: "epay-asked", merchant: "1001", confirm: "always"}, sandbox.V1, sandbox.Rainbow},
	{till{channel: "epay-plain", merchant: "1002", confirm: "never"}, sandbox.V1, sandbox.Epusdt},
	{till{channel: "epay-rsa", merchant: "2001", confirm: "never", refunds: true}, sandbox.V2, sandbox.Rainbow},
}

// openTills lists the channels of the demo, of every mounted provider.
func (s *scene) openTills() {
	for _, g := range gateways {
		g.face, g.currency = sandbox.Name, domain.CNY
		s.tills = append(s.tills, g.till)
	}
	for _, f := range s.box.Faces() {
		for _, c := range f.Channels() {
			if f.Name() != sandbox.Name {
				s.tills = append(s.tills, till{
					channel: f.Name(), face: f.Name(), merchant: c.Merchant, currency: currencyOf(c), refunds: true,
				})
			}
		}
	}
}

// currencyOf is the currency of a channel, yuan where it names none.
func currencyOf(c stage.Channel) domain.Currency {
	for _, set := range c.Settings {
		if code, ok := set.Value.(string); ok && set.Name == "currency" {
			return domain.Currency(code)
		}
	}
	return domain.CNY
}

// channelsText is the part of the configuration below "channels:".
func (s *scene) channelsText() (string, error) {
	offered := map[[2]string]stage.Channel{}
	for _, f := range s.box.Faces() {
		for _, c := range f.Channels() {
			offered[[2]string{f.Name(), c.Merchant}] = c
		}
	}
	var b strings.Builder
	for _, t := range s.tills {
		c, found := offered[[2]string{t.face, t.merchant}]
		if !found {
			return "", domain.E(domain.KindInternal, "the sandbox has no merchant %s at %s", t.merchant, t.face)
		}
		var more []stage.Setting
		if t.confirm != "" {
			more = append(more, stage.Setting{Name: "confirm_by_query", Value: t.confirm})
		}
		b.WriteString(c.YAML(t.channel, more...))
	}
	return b.String(), nil
}

// truth is what the providers' own books say, by channel and order.
func (s *scene) truth() map[string][]stage.Payment {
	channel := map[[2]string]string{}
	for _, t := range s.tills {
		channel[[2]string{t.face, t.merchant}] = t.channel
	}
	out := map[string][]stage.Payment{}
	for _, m := range s.box.Truth() {
		for _, p := range m.Payments {
			name := channel[[2]string{m.Face, m.Merchant}] + "/" + p.OrderNo
			out[name] = append(out[name], p)
		}
	}
	return out
}

// faults plants each kind on a share of the payments. Only where callbacks are
// confirmed by query can money be told from a message minted with a leaked
// key; and an order that the gateway deletes can be proved only by its
// callback. RefundXML is about refunds, and keys change once: see rotate.
func (s *scene) faults() []sandbox.Rate {
	rates := sandbox.EveryFault(0.03)
	for i := range rates {
		rates[i].Face = sandbox.Name
	}
	for _, merchant := range []string{"1002", "2001"} {
		rates = append(rates, sandbox.Rate{
			Fault: sandbox.Fault{Class: sandbox.Purged}, Share: 0.02, Face: sandbox.Name, PID: merchant,
		})
	}
	rates = append(rates, sandbox.Rate{
		Fault: sandbox.Fault{Class: sandbox.Minted, Unpaid: true}, Share: 0.03, Face: sandbox.Name, PID: "1001",
	})
	for _, f := range s.box.Faces() {
		if f.Name() != sandbox.Name {
			rates = append(rates, stage.EveryFault(f, 0.03, wechatpay.RefundXML, stage.Rotated)...)
		}
	}
	for i := range rates {
		if rates[i].Class == stripe.Delayed {
			rates[i].Delay = sandbox.Duration(time.Hour) // by default a day, for which nobody waits here
		}
	}
	return rates
}

// title says which channels were played.
func (s *scene) title() string {
	var names []string
	for _, t := range s.tills {
		names = append(names, t.channel)
	}
	return fmt.Sprintf("%d channels: %s", len(names), strings.Join(names, ", "))
}
