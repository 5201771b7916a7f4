package alerts

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"time"

	"counterfoil/domain"
)

// sender brings an alert to people.
type sender interface {
	send(ctx context.Context, a Alert) error
}

// sendWithin bounds one delivery.
const sendWithin = 10 * time.Second

// poster POSTs alerts as JSON. It follows no redirect: the owner named this
// address and no other.
type poster struct {
	url    string
	client *http.Client
}

func newPoster(url string) poster {
	return poster{url, &http.Client{
		Timeout:       sendWithin,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

func (p poster) send(ctx context.Context, a Alert) error {
	body, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("encode alert: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url, bytes.NewReader(body))
	if err != nil {
		return domain.E(domain.KindInvalid, "alerts.url cannot be used")
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := p.client.Do(req)
	if err != nil {
		return domain.E(domain.KindUnavailable, "alerts.url did not answer") // the error would show the address and its token
	}
	defer func() { _ = res.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 4096))
	if res.StatusCode/100 != 2 {
		return domain.E(domain.KindUnavailable, "alerts.url answered %s", res.Status)
	}
	return nil
}

// runner runs a command with the alert as JSON on its standard input.
type runner []string

func (r runner) send(ctx context.Context, a Alert) error {
	body, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("encode alert: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, sendWithin)
	defer cancel()
	cmd := exec.CommandContext(ctx, r[0], r[1:]...)
	cmd.Stdin = bytes.NewReader(body)
	cmd.WaitDelay = time.Second // a child it leaves behind holds nothing up
	if err := cmd.Run(); err != nil {
		return domain.E(domain.KindUnavailable, "alerts.command: %w", err)
	}
	return nil
}
