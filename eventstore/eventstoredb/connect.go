package eventstoredb

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"

	"counterfoil/domain"
)

// build makes a session and tries it, for at most limit, before anyone gets it.
func (p *supervisor) build(limit time.Duration) error {
	s, err := newSession(p.target(), p.log)
	if err == nil {
		if err = p.try(s, limit); err != nil {
			p.retire(s, nil)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.closed: // while it connected
		if err == nil {
			p.bury(s)
		}
		return p.ctx.Err()
	case err != nil:
		err = p.explain(err)
		if p.err == nil || p.err.Error() != err.Error() {
			p.log.Warn("eventstoredb is not usable; the store tries again by itself", slog.Any("error", err))
		}
	default:
		p.current = s
		p.log.Info("connected to eventstoredb", slog.Uint64("session", p.built.Add(1)))
	}
	p.err = err
	p.announce()
	return err
}

func (p *supervisor) try(s *session, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(p.ctx, limit)
	defer cancel()
	_, err := apart(ctx, p, s, p.examine)
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("%w (%s)", errSilent, limit)
	}
	return err
}

// target is where the next session goes. A leader that was named is tried once;
// after that the cluster is asked again, one node after the other: the client
// would pick them at random and could meet one that hangs time after time.
func (p *supervisor) target() esdb.Configuration {
	p.mu.Lock()
	defer p.mu.Unlock()
	conf := p.conf
	if p.redirect != "" {
		conf.Address, conf.GossipSeeds, conf.DnsDiscover = p.redirect, nil, false
		p.redirect = ""
	} else if n := len(conf.GossipSeeds); n > 0 {
		conf.GossipSeeds = conf.GossipSeeds[p.seed%n : p.seed%n+1]
		p.seed++
	}
	return conf
}

// explain gives an error of a session that never came to be its kind.
func (p *supervisor) explain(err error) error {
	if lasting(err) {
		return err
	}
	kind := domain.KindUnavailable
	if judge(err) == refused {
		kind = kindOf(err)
	}
	return domain.E(kind, "eventstoredb: %w%s", err, p.hint(err))
}

// hint is what the words of TLS and HTTP/2 most likely mean to whoever wrote the
// connection string.
func (p *supervisor) hint(err error) string {
	text := err.Error()
	switch {
	case p.conf.DisableTLS && strings.Contains(text, "reading server preface"):
		return " (something listens there that does not speak to clients without TLS: is tls=false right?)"
	case strings.Contains(text, "first record does not look like a TLS handshake"):
		return " (the server does not speak TLS: one in insecure mode needs tls=false)"
	case strings.Contains(text, "signed by unknown authority"):
		return " (name the authority's certificate with tlsCaFile)"
	}
	return ""
}

// oldest is the first version that tells subscribers when they have caught up.
var oldest = [2]int{23, 10}

// examine finds out who answers: a server of a version that has what we need,
// that takes our credentials, and that leads if it must.
func (p *supervisor) examine(ctx context.Context, c *esdb.Client) (struct{}, error) {
	v, err := c.GetServerVersion()
	if err != nil {
		return struct{}{}, err
	}
	switch {
	case v.Major == 0:
		return struct{}{}, domain.E(domain.KindMismatch, "eventstoredb: the server does not tell its version: it is too old, or no EventStoreDB")
	case v.Major < oldest[0] || (v.Major == oldest[0] && v.Minor < oldest[1]):
		return struct{}{}, domain.E(domain.KindMismatch, "eventstoredb: the server has version %d.%d.%d, needed is %d.%d or newer",
			v.Major, v.Minor, v.Patch, oldest[0], oldest[1])
	}
	return p.probe(ctx, c)
}

// probe reads the last event of the log.
func (p *supervisor) probe(ctx context.Context, c *esdb.Client) (struct{}, error) {
	err := readAll(ctx, c, esdb.End{}, 1, func(*esdb.RecordedEvent) bool { return true })
	return struct{}{}, err
}
