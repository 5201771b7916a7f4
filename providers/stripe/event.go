package stripe

import (
	"strings"
	"time"

	"counterfoil/domain"
)

// The names of the objects that are read.
const (
	objectEvent   = "event"
	objectThin    = "v2.core.event"
	objectSession = "checkout.session"
	objectIntent  = "payment_intent"
	objectCharge  = "charge"
	objectRefund  = "refund"
	objectDispute = "dispute"
)

// Types of events that say more than their object does.
const (
	eventSessionFailed  = "checkout.session.async_payment_failed"
	eventIntentFailed   = "payment_intent.payment_failed"
	eventChargeRefunded = "charge.refunded"
)

// event is the envelope of a message (Stripe, "The Event object"). The object
// in it is a snapshot of the moment at which the event was made.
type event struct {
	id      string
	kind    string // such as charge.refunded
	at      time.Time
	object  object
	related string // of a thin event: the id of the object it is about
}

// readEvent reads a message whose signature holds, or one from the list of
// events, and checks that it is for this channel's account and mode.
func (c *Channel) readEvent(o object) (event, domain.Reason, error) {
	e := event{id: o.text("id"), kind: o.text("type")}
	if e.id == "" || e.kind == "" {
		return event{}, domain.ReasonUnreadable, domain.E(domain.KindInvalid, "event has no id or no type")
	}
	live, ok := o.flag("livemode")
	if !ok {
		return event{}, domain.ReasonUnreadable, domain.E(domain.KindInvalid, "event says not whether it is live")
	}
	account := "account"
	switch o.text("object") {
	case objectEvent:
		if e.object = o.sub("data").sub("object"); e.object == nil {
			return event{}, domain.ReasonUnreadable, domain.E(domain.KindInvalid, "event has no readable object")
		}
		e.at = o.at("created")
	case objectThin:
		account = "context"
		e.related = o.sub("related_object").text("id")
		e.at = instant(o.text("created"))
	default:
		return event{}, domain.ReasonUnreadable, domain.E(domain.KindInvalid, "message is no event")
	}
	if live != c.cfg.Live || o.text(account) != c.cfg.Account {
		return event{}, domain.ReasonForeignMerchant, domain.E(domain.KindForged, "rightly signed, but of another account or mode")
	}
	return e, domain.ReasonNone, nil
}

// instant reads the time of a thin event; zero if it is none.
func instant(text string) time.Time {
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return time.Time{}
	}
	return at.UTC()
}

// say is what an event says. Its object decides, not its type: types come and
// go, and two of them tell one change. What is not known is noted.
func (c *Channel) say(e event) (notices []domain.Notice, err error) {
	kind := e.object.text("object")
	switch {
	case kind == objectSession:
		notices, err = c.session(e.object, e)
	case kind == objectIntent:
		notices, err = c.intent(e.object, e)
	case kind == objectCharge && e.kind == eventChargeRefunded:
		notices, err = c.refundedTotal(e.object, e)
	case kind == objectCharge:
		notices, err = c.charge(e.object, e)
	case kind == objectRefund:
		notices, err = c.refund(e.object, e)
	case kind == objectDispute:
		notices, err = c.dispute(e.object, e)
	default:
		notices = []domain.Notice{other(e)}
	}
	for i := range notices {
		notices[i].Channel = c.cfg.Channel
		notices[i].Index = i
	}
	return notices, err
}

// other notes an event that names no money: of a kind that is not read, or a
// thin one. Whose payment it is about is told where it says so.
func other(e event) domain.Notice {
	n := domain.Notice{Status: domain.StatusOther, ProviderStatus: e.kind, OccurredAt: e.at}
	if number := e.related; isID(number) && tradeNumber(number) {
		n.TradeNo = number
	}
	return n
}

// tradeNumber reports whether an id is of the kinds that we take for trade
// numbers.
func tradeNumber(id string) bool {
	return strings.HasPrefix(id, "pi_") || strings.HasPrefix(id, "ch_") || strings.HasPrefix(id, "py_")
}

// isID reports whether text can be one of Stripe's ids and stand in an address.
func isID(text string) bool {
	return text != "" && len(text) <= 255 && !strings.ContainsFunc(text, func(r rune) bool {
		return r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	})
}
