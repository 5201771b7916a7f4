package sandbox

import (
	"cmp"
	"context"

	"counterfoil/domain"
	"counterfoil/providers/epay"
	"counterfoil/sandbox/stage"
)

// spoofs are the false messages of a fault, ready to be sent one after another.
// Sandbox.mu is held.
func (s *Sandbox) spoofs(m *merchant, o *order, f Fault) []func(context.Context) {
	msg := m.messageOf(o, s.stage.Now())
	if msg.apiTradeNo == "" {
		msg.apiTradeNo, msg.buyer = "40001249985198893", "2088000000000000"
	}
	signed := func(kind string, msg message) func(context.Context) {
		return func(ctx context.Context) {
			s.signAndSend(ctx, m, o, msg, outgoing{Shot: stage.Shot{Kind: kind}, post: m.PostCallbacks})
		}
	}
	switch f.Class {
	case WrongStatus:
		msg.status = cmp.Or(f.Status, "TRADE_CLOSED")
		return []func(context.Context){signed(string(WrongStatus), msg)}
	case OtherPID:
		msg.pid = s.otherPID(m)
		return []func(context.Context){signed(string(OtherPID), msg)}
	case Minted:
		return []func(context.Context){signed(string(Minted), msg)}
	case Ambiguous:
		return s.recut(m, o, f)
	case Forged:
		return s.forgeries(m, o, msg, f.Variant)
	default:
		return nil
	}
}

// otherPID is some other merchant here, or one that could be.
func (s *Sandbox) otherPID(m *merchant) string {
	for _, pid := range s.pids {
		if pid != m.PID {
			return pid
		}
	}
	return m.PID + "1"
}

// recut is the attack on the unescaped text: the name of a cheap, truly paid
// order holds "&out_trade_no=VICTIM", and its signature holds as well for the
// message in which that is a field. The cheap order's own callbacks follow.
func (s *Sandbox) recut(m *merchant, o *order, f Fault) []func(context.Context) {
	cheap := s.payCheap(m, o, f)
	d := m.lane.Join(s.callbacks(m, cheap))
	return []func(context.Context){
		func(ctx context.Context) { s.sendRecut(ctx, m, o, cheap) },
		d.Run,
	}
}

func (s *Sandbox) sendRecut(ctx context.Context, m *merchant, victim, cheap *order) {
	s.mu.Lock()
	msg := m.messageOf(cheap, s.stage.Now())
	// The trick needs the name in the text, so the operator's switch is off for it.
	msg.name = cheap.name
	s.mu.Unlock()
	genuine, err := m.sign(msg.params(), msg.version)
	if err != nil {
		return
	}
	cut := make(epay.Params, 0, len(genuine)+1)
	for _, p := range genuine {
		switch p.Name {
		case "name":
			p.Value = "x"
		case "out_trade_no":
			p.Value = victim.outTradeNo
		}
		cut = append(cut, p)
	}
	cut = append(cut, epay.Param{Name: "pax", Value: "1&out_trade_no=" + cheap.outTradeNo})
	s.transmit(ctx, m, victim, outgoing{Shot: stage.Shot{Kind: string(Ambiguous)}, fields: cut, post: m.PostCallbacks})
}

// forgeries are the messages that somebody without the merchant's keys can
// make.
func (s *Sandbox) forgeries(m *merchant, o *order, msg message, variant string) []func(context.Context) {
	var sends []func(context.Context)
	for _, v := range []string{WrongSignature, EmptyKey, Downgraded, Tampered} {
		if variant != "" && variant != v {
			continue
		}
		sends = append(sends, func(ctx context.Context) {
			signed, err := s.forge(m, msg, v)
			if err == nil {
				s.transmit(ctx, m, o, outgoing{
					Shot: stage.Shot{Kind: string(Forged) + "/" + v}, fields: signed, post: m.PostCallbacks,
				})
			}
		})
	}
	return sends
}

// forge signs msg the way of a variant.
func (s *Sandbox) forge(m *merchant, msg message, variant string) (epay.Params, error) {
	params := msg.params()
	text := m.text(params)
	switch variant {
	case EmptyKey:
		return withSign(params, epay.SignMD5(text, ""), "MD5"), nil
	case Downgraded:
		return s.downgrade(m, msg, text)
	case Tampered:
		return m.tamper(msg)
	default:
		if msg.version == V2 {
			key, err := s.strangerKey()
			if err != nil {
				return nil, err
			}
			sign, err := epay.SignRSA(text, key)
			return withSign(params, sign, "RSA"), err
		}
		return m.withMD5(params, epay.SignMD5(text, m.keys.md5+"?")), nil
	}
}

// downgrade signs with what is no secret and names the other algorithm: MD5
// keyed with the platform's public key for V2, RSA by a stranger for V1.
func (s *Sandbox) downgrade(m *merchant, msg message, text string) (epay.Params, error) {
	if msg.version == V2 && m.keys.platform != nil {
		return withSign(msg.params(), epay.SignMD5(text, bareKey(&m.keys.platform.PublicKey)), "MD5"), nil
	}
	key, err := s.strangerKey()
	if err != nil {
		return nil, err
	}
	sign, err := epay.SignRSA(text, key)
	return withSign(msg.params(), sign, "RSA"), err
}

// tamper is the genuine message with its amount raised after signing.
func (m *merchant) tamper(msg message) (epay.Params, error) {
	signed, err := m.sign(msg.params(), msg.version)
	if err != nil {
		return nil, err
	}
	for i := range signed {
		if signed[i].Name == "money" {
			signed[i].Value = m.habits.amount(raised(signed[i].Value))
		}
	}
	return signed, nil
}

// raised is the amount of a text, plus one yuan.
func raised(text string) domain.Money {
	money, err := domain.ParseMoney(text, domain.CNY)
	if err != nil {
		return domain.NewMoney(100, domain.CNY)
	}
	return domain.NewMoney(money.Minor()+100, domain.CNY)
}
