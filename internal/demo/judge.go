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
)

// calm waits until the gateway has nothing more to send and the reconcilers
// have credited what can be credited.
func (s *scene) calm(ctx context.Context) error {
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

// replay reads the whole log through the API.
func (s *scene) replay(ctx context.Context) (*journal, error) {
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
	j := newJournal()
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(make([]byte, 0, 1<<20), 1<<20)
	for lines.Scan() {
		if err := j.add(lines.Bytes()); err != nil {
			return nil, err
		}
	}
	return j, lines.Err()
}

// judge compares the log and the API's balances with the providers' books.
func (s *scene) judge(ctx context.Context) (*verdict, error) {
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
	v.title = s.title()
	for _, m := range s.box.Truth() {
		for class, n := range m.Planted {
			v.planted[class] += n
		}
	}
	return v, s.balances(ctx, v)
}

// refused counts the refused callbacks in the callback log.
func (s *scene) refused(ctx context.Context) (int, error) {
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

// balances asks the API for every account and compares, currency by currency.
func (s *scene) balances(ctx context.Context, v *verdict) error {
	for account, want := range v.due {
		var got httpapi.Balances
		if err := s.get(ctx, "/v1/accounts/"+url.PathEscape(account)+"/balances?min_position=1", &got); err != nil {
			return err
		}
		have := purse{}
		for _, b := range got.Balances {
			m, err := domain.ParseSigned(b.Amount, domain.Currency(b.Currency))
			if err != nil {
				return fmt.Errorf("balance of %s: %w", account, err)
			}
			have.add(m)
		}
		if have.String() != want.String() {
			v.wrong("account %s has %s, the providers' books say %s", account, have, want)
		}
	}
	return nil
}

func (s *scene) get(ctx context.Context, path string, into any) error {
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
