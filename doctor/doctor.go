// Package doctor looks at an installation as the person does who is called when
// payments succeed and balances do not rise: files, store, settings, the way
// from the provider to us and back, the daemons. Each check says what it saw
// and what to do. It changes nothing; its probes are refused like any stranger's
// and stand in the callback log under a number of their own.
//
// Walk takes one small payment through every stage.
package doctor

import (
	"context"
	"crypto/rand"
	"net/http"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/operations"
	"counterfoil/projections"
	"counterfoil/providers"
)

// Result is how a check ended.
type Result string

// The results. Only Fail makes an examination end badly.
const (
	OK      Result = "ok"
	Warn    Result = "warn"    // works, but look at it
	Fail    Result = "fail"    // money or evidence is at risk until it is mended
	Skipped Result = "skipped" // could not be looked at, and Seen says why
)

// Finding is what one check found about one thing.
type Finding struct {
	Check  string `json:"check"`           // the check's name, e.g. "callback address"
	About  string `json:"about,omitempty"` // the channel, file or process it is about
	Result Result `json:"result"`
	Seen   string `json:"seen"`            // what was found; holds no secret
	Do     string `json:"do,omitempty"`    // what to do about it
	DoZh   string `json:"do_zh,omitempty"` // the same in Chinese, short
}

// Installation is what is examined. Parts that could not be opened are nil and
// their error says why: the checks that need them are skipped, the others are
// not.
type Installation struct {
	Dir            string
	Files          []File
	Software       string   // name and version of this program
	PublicURL      string   // base of callback addresses
	TrustedProxies []string // CIDRs whose X-Forwarded-For the API believes
	Channels       []Channel
	API            string // ops listener of the api, host:port
	Reconciler     string // ops listener of the reconciler, host:port
	SweepEvery     time.Duration

	Mode       domain.Mode // of the log; empty when it could not be read
	Store      Store
	Rows       projections.Reader
	RowsErr    error
	Operations operations.Store
	OpsErr     error

	Clock func() time.Time
	// Transport carries the probes; nil makes one that asks no proxy. Redirects
	// are never followed.
	Transport *http.Transport
}

// File is a file or folder of the installation.
type File struct {
	Path   string
	Secret bool // others than its owner must not read it
}

// Log is what is asked of an event store.
type Log interface {
	eventstore.Reader
	Ready(ctx context.Context) error
}

// Store is the event store as it opened.
type Store struct {
	Err      error // it did not
	Log      Log
	Settings string // what the store read back of how it writes, e.g. "WAL, FULL"
	Server   string // its address, when the log is no file; the next three mean nothing then
	SQLite   string // version of the library
	Bytes    int64  // of the file
	Free     int64  // bytes that may still be written beside it
	// Unseal opens an event's sealed part and throws it away.
	Unseal func(ctx context.Context, r eventstore.Recorded) error
}

// Channel is one configured channel.
type Channel struct {
	ID          domain.ChannelID
	Err         error             // its settings are wrong
	Port        providers.Channel // nil with Err
	Key         providers.Secret  // shared secret, where the protocol has one
	CallbackURL string            // derived from the public address
	Test        bool              // play money
}

// examiner is one examination.
type examiner struct {
	Installation
	client  *http.Client
	nonce   string // marks this examination's probes
	logWait time.Duration
}

// probesAtOnce bounds how many addresses are asked at a time.
const probesAtOnce = 8

// Examine makes every check and hands each finding to tell, in a fixed order.
// The error is that of the context: what was not looked at is not told.
func Examine(ctx context.Context, in Installation, tell func(Finding)) error {
	e := newExaminer(in)
	for _, local := range []func(context.Context) []Finding{
		e.folder, e.disk, e.store, e.clock, e.projections, e.dataKeys, e.operations, e.settings,
	} {
		for _, f := range local(ctx) {
			tell(f)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	checks := []func(context.Context) []Finding{e.daemons, e.sweeps, e.traffic}
	for _, c := range e.Channels {
		checks = append(checks,
			func(ctx context.Context) []Finding { return e.channel(ctx, c) },
			func(ctx context.Context) []Finding { return e.callbackAddress(ctx, c) },
			func(ctx context.Context) []Finding { return e.gateway(ctx, c) },
			func(ctx context.Context) []Finding { return e.lastCallback(ctx, c) },
			func(ctx context.Context) []Finding { return e.rhythm(ctx, c) },
		)
	}
	for _, found := range together(ctx, checks) {
		for _, f := range found {
			tell(f)
		}
	}
	return ctx.Err()
}

func newExaminer(in Installation) *examiner {
	t := in.Transport
	if t == nil {
		t = &http.Transport{
			TLSHandshakeTimeout: probeWithin, ResponseHeaderTimeout: probeWithin, DisableKeepAlives: true,
			MaxResponseHeaderBytes: 32 << 10, ForceAttemptHTTP2: true,
		}
	}
	return &examiner{Installation: in, nonce: rand.Text()[:8], logWait: logWait, client: &http.Client{
		Transport: t, Timeout: probeWithin,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// together makes checks side by side and returns what they found in their
// order.
func together(ctx context.Context, checks []func(context.Context) []Finding) [][]Finding {
	found := make([][]Finding, len(checks))
	var g errgroup.Group
	g.SetLimit(probesAtOnce)
	for i, c := range checks {
		g.Go(func() error {
			found[i] = c(ctx)
			return nil
		})
	}
	_ = g.Wait() // no check returns an error
	return found
}

// about starts a finding; its methods end it.
func about(check string, what ...string) Finding {
	return Finding{Check: check, About: strings.Join(what, " ")}
}

func (f Finding) ok(seen string) Finding {
	f.Result, f.Seen = OK, seen
	return f
}

func (f Finding) skip(why string) Finding {
	f.Result, f.Seen = Skipped, why
	return f
}

func (f Finding) warn(seen, do, zh string) Finding {
	f.Result, f.Seen, f.Do, f.DoZh = Warn, seen, do, zh
	return f
}

func (f Finding) fail(seen, do, zh string) Finding {
	f.Result, f.Seen, f.Do, f.DoZh = Fail, seen, do, zh
	return f
}

// one is the findings of a check that has a single one.
func one(f Finding) []Finding { return []Finding{f} }
