package doctor

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"time"

	"counterfoil/domain"
	"counterfoil/providers"
)

// How far a gateway's clock may be from ours. V2 of the Epay protocol refuses
// requests that are more than 300 s off.
const (
	clockWorth = 30 * time.Second
	clockLimit = 300 * time.Second
)

// gateway asks the channel's gateway about an order that cannot exist, and
// looks at its clock.
func (e *examiner) gateway(ctx context.Context, c Channel) []Finding {
	f := about("gateway query", string(c.ID))
	if c.Port == nil {
		return one(f.skip("the channel's settings are wrong"))
	}
	root, rootErr := e.root(ctx, c)
	found := one(e.query(ctx, f, c, rootErr))
	if rootErr == nil {
		found = append(found, e.gatewayClock(c, root))
	}
	return found
}

func (e *examiner) query(ctx context.Context, f Finding, c Channel, rootErr error) Finding {
	began := e.Clock()
	answer, err := c.Port.Query(ctx, providers.Question{OrderNo: ProbePrefix + rand.Text()[:12], At: began})
	took := e.Clock().Sub(began).Round(time.Millisecond)
	cfg := c.Port.Config()
	switch {
	case err == nil && answer.Found:
		return f.fail("it claims to know an order that does not exist", "do not trust this gateway's query: ask its operator", "网关对不存在的订单也返回成功，不可信")
	case err == nil:
		return f.ok(fmt.Sprintf("works: does not know an order that does not exist (%s)", took))
	case domain.KindOf(err) == domain.KindDenied:
		return f.fail(err.Error(), "compare pid and key with the merchant page; for V2 this machine's clock, too", "网关拒绝：请核对商户ID、密钥（V2 另查服务器时间）")
	case rootErr != nil:
		return f.fail(err.Error(), "the gateway cannot be reached from here: check gateway in counterfoil.yaml, DNS and the way out", "网关连不上：检查 gateway 地址与出站网络")
	case cfg.Confirm == domain.ConfirmNever:
		return f.warn(err.Error()+": without a query lost callbacks cannot be found, and confirm_by_query cannot work here",
			"ask the gateway's operator for the order query; until then a lost callback is found by people only", "网关没有查单接口：丢失的回调无法自动补单")
	}
	return f.fail(fmt.Sprintf("%v: confirm_by_query cannot work here, and it is %s: callbacks stay held", err, cfg.Confirm),
		"check the gateway's address (without submit.php); if it has no query, set confirm_by_query: never and know the risk",
		"查单不可用，回调会一直挂起：检查 gateway 地址；若确无查单接口，可设 confirm_by_query: never")
}

// root asks for the gateway's first page: is anyone there, and what time is it?
func (e *examiner) root(ctx context.Context, c Channel) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.Port.Config().Gateway+"/", http.NoBody)
	if err != nil {
		return answer{}, err
	}
	return e.ask(req)
}

func (e *examiner) gatewayClock(c Channel, a answer) Finding {
	f := about("gateway clock", string(c.ID))
	said, err := http.ParseTime(a.header.Get("Date"))
	if err != nil {
		return f.skip("the gateway does not say what time it is")
	}
	off := e.Clock().Add(-a.took / 2).Sub(said.Add(time.Second / 2))
	seen := fmt.Sprintf("ours is %s of the gateway's", offset(off))
	do, zh := "set this machine's clock (chrony, systemd-timesyncd)", "与网关时间相差过大：请校时 (NTP)"
	switch {
	case off.Abs() > clockLimit && len(c.Port.Config().PublicKeys) > 0:
		return f.fail(seen+", more than the 300 s it takes: it refuses our questions and orders", do, zh)
	case off.Abs() > clockWorth:
		return f.warn(seen, do, zh)
	}
	return f.ok(seen)
}

// offset is a difference of clocks for people.
func offset(d time.Duration) string {
	if d.Abs() < 2*time.Second {
		return "within 2s"
	}
	if d > 0 {
		return d.Round(time.Second).String() + " ahead"
	}
	return (-d).Round(time.Second).String() + " behind"
}
