package bench

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"counterfoil/domain"
)

// Load is a closed load: each connection sends its next request when the
// answer to the last one is in.
type Load struct {
	Address string
	Conns   int
	Warm    time.Duration        // not counted
	For     time.Duration        // counted; ends earlier when Next runs dry
	Next    func(i int64) []byte // the i-th request whole, nil when there is none
	Want    string               // body of a good answer; empty means any 200
}

// Result is what a load came to.
type Result struct {
	Good     int64
	Bad      int64
	Rate     float64 // good answers a second
	P50, P99 time.Duration
	Max      time.Duration
	FirstBad string
}

// Run plays the load. It writes requests and reads answers by hand, because a
// client that costs as much as the server would measure itself.
func (l Load) Run(ctx context.Context) (Result, error) {
	var next, bad atomic.Int64
	var firstBad atomic.Value
	begin := time.Now().Add(l.Warm)
	end := begin.Add(l.For)
	times := make([][]time.Duration, l.Conns)
	lasts := make([]time.Time, l.Conns)
	var wg sync.WaitGroup
	errs := make([]error, l.Conns)
	for c := range l.Conns {
		wg.Go(func() {
			errs[c] = l.connection(ctx, func() []byte { return l.Next(next.Add(1) - 1) }, end, func(began, done time.Time, answer string) {
				if answer != "" {
					bad.Add(1)
					firstBad.CompareAndSwap(nil, answer)
				} else if began.After(begin) {
					times[c] = append(times[c], done.Sub(began))
					lasts[c] = done
				}
			})
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return Result{}, err
		}
	}
	r := sum(times, begin, slices.MaxFunc(lasts, time.Time.Compare))
	r.Bad = bad.Load()
	r.FirstBad, _ = firstBad.Load().(string)
	return r, nil
}

func sum(times [][]time.Duration, begin, last time.Time) Result {
	all := slices.Concat(times...)
	if len(all) == 0 {
		return Result{}
	}
	slices.Sort(all)
	return Result{
		Good: int64(len(all)), Rate: float64(len(all)) / last.Sub(begin).Seconds(),
		P50: all[len(all)/2], P99: all[len(all)*99/100], Max: all[len(all)-1],
	}
}

// connection is one client.
func (l Load) connection(
	ctx context.Context, next func() []byte, end time.Time, done func(began, done time.Time, bad string),
) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", l.Address)
	if err != nil {
		return domain.E(domain.KindUnavailable, "connect to %s: %w", l.Address, err)
	}
	defer func() { _ = conn.Close() }()
	r := bufio.NewReaderSize(conn, 8<<10)
	body := make([]byte, 64<<10)
	for ctx.Err() == nil {
		request := next()
		began := time.Now()
		if request == nil || began.After(end) {
			return nil
		}
		if _, err := conn.Write(request); err != nil {
			return domain.E(domain.KindUnavailable, "send: %w", err)
		}
		bad, err := l.answer(r, body)
		if err != nil {
			return domain.E(domain.KindUnavailable, "receive: %w", err)
		}
		done(began, time.Now(), bad)
	}
	return nil
}

// answer reads one HTTP/1.1 answer with a Content-Length; bad says what was
// wrong with it.
func (l Load) answer(r *bufio.Reader, body []byte) (bad string, err error) {
	line, err := r.ReadSlice('\n')
	if err != nil {
		return "", err
	}
	ok := bytes.HasPrefix(line, []byte("HTTP/1.1 200 "))
	status := string(line[:min(len(line), 40)])
	length := -1
	for {
		if line, err = r.ReadSlice('\n'); err != nil {
			return "", err
		}
		if len(line) <= 2 {
			break
		}
		if n, found := bytes.CutPrefix(line, []byte("Content-Length: ")); found {
			if _, err := fmt.Sscanf(string(n), "%d", &length); err != nil {
				return "", err
			}
		}
	}
	if length < 0 || length > len(body) {
		return "", domain.E(domain.KindInvalid, "an answer without a length")
	}
	if _, err := io.ReadFull(r, body[:length]); err != nil {
		return "", err
	}
	if !ok || (l.Want != "" && string(body[:length]) != l.Want) {
		return status + ": " + string(body[:min(length, 200)]), nil
	}
	return "", nil
}

// request is a GET as bytes.
func request(address, target, authorization string) []byte {
	head := "GET " + target + " HTTP/1.1\r\nHost: " + address + "\r\n"
	if authorization != "" {
		head += "Authorization: Bearer " + authorization + "\r\n"
	}
	return []byte(head + "User-Agent: bench\r\n\r\n")
}

// Bare is a handler that does nothing: what net/http itself can do here.
func Bare(body string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, body)
	})
}
