package demo

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"counterfoil/domain"
	"counterfoil/httpapi"
	"counterfoil/sandbox"
)

// calm waits until the gateway has nothing more to send and the reconcilers
// have credited what can be credited.
func (s *stage) calm(ctx context.Context) error {
	step, done := s.o.Progress("waiting for retries and sweeps", 0)
	defer done()
	wait, cancel := context.WithTimeout(ctx, 90*time.Second)
	defer cancel()
	settled := make(chan struct{})
	go func() {
		defer close(settled)
		_ = s.box.Settled(wait) // it ends without settling only when the wait is over
	}()
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for over := false; ; {
		select {
		case <-settled:
			over, settled = true, nil
		case <-tick.C:
			step()
			if !over {
				continue
			}
			log, err := s.replay(ctx)
			if err != nil {
				return err
			}
			if v := compare(s.shop.orders, s.truth(), log); v.good() {
				return nil
			}
		case <-wait.Done():
			return ctx.Err() // the verdict says what is missing
		}
	}
}

// truth is the gateway's own book, by channel and order.
func (s *stage) truth() map[string][]sandbox.PaidOrder {
	channel := map[string]string{}
	for _, m := range merchants {
		channel[m.pid] = m.channel
	}
	out := map[string][]sandbox.PaidOrder{}
	for _, m := range s.box.Books().Merchants {
		for _, p := range m.Paid {
			name := channel[m.PID] + "/" + p.OutTradeNo
			out[name] = append(out[name], p)
		}
	}
	return out
}

// journal is what the log says, counted by hand from its events: no
// projection is believed here.
type journal struct {
	notified, repeats, queries int
	held, parked, healed       int
	parkedMoney                domain.Totals
	credits                    map[string][]credit // by channel/order_no
}

type credit struct {
	account string
	amount  domain.Money
}

// replay reads the whole log through the API.
func (s *stage) replay(ctx context.Context) (*journal, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.api+"/v1/events", nil)
	if err != nil {
		return nil, fmt.Errorf("replay: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+s.key)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("replay: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return nil, domain.E(domain.KindUnavailable, "replay: %s", res.Status)
	}
	j := &journal{credits: map[string][]credit{}}
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(make([]byte, 0, 1<<20), 1<<20)
	for lines.Scan() {
		if err := j.add(lines.Bytes()); err != nil {
			return nil, err
		}
	}
	return j, lines.Err()
}

func (j *journal) add(line []byte) error {
	var e struct {
		Stream string          `json:"stream"`
		Type   string          `json:"type"`
		Data   json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(line, &e); err != nil {
		return fmt.Errorf("read an event: %w", err)
	}
	f, err := domain.DecodeFact(e.Type, e.Data)
	if err != nil {
		return err
	}
	switch f := f.(type) {
	case domain.PaymentNotified:
		j.notice(f)
	case domain.PaymentHeld:
		j.held++
	case domain.PaymentCredited:
		name := nameOf(e.Stream)
		j.credits[name] = append(j.credits[name], credit{string(f.Account), f.Amount})
	case domain.PaymentParked:
		if f.Confirmed {
			j.parked++
			return j.parkedMoney.Add(f.Amount)
		}
	case domain.DiscrepancyFound:
		if f.Kind == domain.MissingCredit {
			j.healed++
		}
	default:
	}
	return nil
}

func (j *journal) notice(f domain.PaymentNotified) {
	if f.Source == domain.SourceQuery {
		j.queries++
		return
	}
	j.notified++
	if f.Decision.Outcome == domain.OutcomeRepeated {
		j.repeats += 1 + f.Repeats
	}
}

// nameOf is channel/order_no of a payment's stream.
func nameOf(stream string) string {
	rest := stream[len("payment-"):]
	for i := range rest {
		if rest[i] == ':' {
			return rest[:i] + "/" + rest[i+1:]
		}
	}
	return rest
}

// judge compares the log and the API's balances with the gateway's books.
func (s *stage) judge(ctx context.Context) (*verdict, error) {
	log, err := s.replay(ctx)
	if err != nil {
		return nil, err
	}
	v := compare(s.shop.orders, s.truth(), log)
	v.took, v.killed = time.Since(s.began), s.shop.killed
	v.refused, err = s.refused(ctx)
	if err != nil {
		return nil, err
	}
	for _, m := range s.box.Books().Merchants {
		for class, n := range m.Planted {
			v.planted[class] += n
		}
	}
	return v, s.balances(ctx, v)
}

// refused counts the refused callbacks in the callback log.
func (s *stage) refused(ctx context.Context) (int, error) {
	const first = "/v1/callbacks?limit=200&outcome=refused"
	n, at := 0, first
	for {
		var page struct {
			Callbacks  []httpapi.Callback `json:"callbacks"`
			NextCursor string             `json:"next_cursor"`
			HasMore    bool               `json:"has_more"`
		}
		if err := s.get(ctx, at, &page); err != nil {
			return n, err
		}
		n += len(page.Callbacks)
		if !page.HasMore {
			return n, nil
		}
		at = first + "&cursor=" + url.QueryEscape(page.NextCursor)
	}
}

// balances asks the API for every account and compares.
func (s *stage) balances(ctx context.Context, v *verdict) error {
	for account, want := range v.due {
		var got httpapi.Balances
		if err := s.get(ctx, "/v1/accounts/"+url.PathEscape(account)+"/balances?min_position=1", &got); err != nil {
			return err
		}
		have := "0.00"
		for _, b := range got.Balances {
			have = b.Amount
		}
		if have != want.Amount() {
			v.wrong("account %s has %s, the gateway's books say %s", account, have, want.Amount())
		}
	}
	return nil
}

func (s *stage) get(ctx context.Context, path string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.api+path, nil)
	if err != nil {
		return fmt.Errorf("get %s: %w", path, err)
	}
	req.Header.Set("Authorization", "Bearer "+s.key)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("get %s: %w", path, err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return domain.E(domain.KindUnavailable, "get %s: %s", path, res.Status)
	}
	if err := json.NewDecoder(res.Body).Decode(into); err != nil {
		return fmt.Errorf("get %s: %w", path, err)
	}
	return nil
}
