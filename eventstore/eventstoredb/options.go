package eventstoredb

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"

	"counterfoil/domain"
)

// Options say where the server is and how patient to be. Connection is
// required; the zero value of the rest is the default for each.
type Options struct {
	// Connection is esdb://host:2113, esdb://host1,host2,host3 for a cluster or
	// esdb+discover://dns-name, with the client's settings behind "?": tls,
	// tlsVerifyCert, tlsCaFile, userCertFile, userKeyFile, nodePreference,
	// gossipTimeout (s), keepAliveInterval and keepAliveTimeout (ms). kurrentdb://
	// and its short forms mean the same.
	Connection string

	// Namespace begins the names of all streams of this store on the server, so
	// that several stores can share one. Default "counterfoil".
	Namespace string

	// UserFile and PasswordFile hold the credentials, which then need not stand
	// in Connection. White space at their ends does not count.
	UserFile, PasswordFile string

	// Logger takes what the store has to say outside of results. Default:
	// nothing is logged.
	Logger *slog.Logger

	// Wait is how long a call goes on trying while the server is away or its
	// answers leave the outcome open. Default 5 s.
	Wait time.Duration

	// CallTimeout is how long one try may take; the client is replaced after
	// one that got no answer. Default 2.5 s, because the server's own timeouts
	// are 2 s.
	CallTimeout time.Duration

	// Heartbeat is how often an idle connection is tried. Default 5 s.
	Heartbeat time.Duration

	// Connect is how long Open waits for the server. Default 10 s.
	Connect time.Duration
}

// Fixed limits.
const (
	pageEvents   = 1000                   // events read from a stream in one call
	pageBytes    = 4 << 20                // of a follower's batch
	defaultBatch = 1000                   // events of a follower's batch
	queueEvents  = 256                    // events between subscription and follower
	window       = 256                    // events the server looks at between checkpoints
	linger       = 50 * time.Millisecond  // a half-filled batch waits so long for more
	grace        = time.Second            // calls of a retired client may take so long to end
	glance       = 2 * time.Second        // opening waits so long for the streams' metadata
	connectMin   = time.Second            // the first try to connect takes no less, if a call may take as long
	pauseMin     = 10 * time.Millisecond  // before the first repetition
	pauseMax     = 250 * time.Millisecond // between later ones, and between new clients
)

func (o Options) withDefaults() Options {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	setDefault(&o.Namespace, "counterfoil")
	setDefault(&o.Wait, 5*time.Second)
	setDefault(&o.CallTimeout, 2500*time.Millisecond)
	setDefault(&o.Heartbeat, 5*time.Second)
	setDefault(&o.Connect, 10*time.Second)
	return o
}

func setDefault[T comparable](p *T, v T) {
	var zero T
	if *p == zero {
		*p = v
	}
}

// firstTry is how long the first try to connect may take; each further one takes
// twice as long, up to CallTimeout.
func (o Options) firstTry() time.Duration {
	return max(o.CallTimeout*2/5, min(o.CallTimeout, connectMin))
}

var namespaceGrammar = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,31}$`)

// settings are the keys of a connection string. The client would take a wrong
// one with no more than a line on standard error.
var settings = []string{
	"tls", "tlsverifycert", "tlscafile", "usercertfile", "userkeyfile", "nodepreference",
	"gossiptimeout", "keepaliveinterval", "keepalivetimeout",
	"maxdiscoverattempts", "discoveryinterval", "defaultdeadline", // taken and not used: the supervisor decides
}

// Check checks the options as Open does, without a server: the connection
// string, the namespace, and the files with the credentials.
func (o Options) Check() error {
	if _, err := o.withDefaults().parse(); err != nil {
		return fmt.Errorf("eventstoredb: %w", err)
	}
	return nil
}

// parse checks the options and makes the client's configuration.
func (o Options) parse() (*esdb.Configuration, error) {
	if !namespaceGrammar.MatchString(o.Namespace) {
		return nil, domain.EField(domain.KindInvalid, "namespace", "%q: 1 to 32 of a-z, 0-9 and '-', not beginning with '-'", o.Namespace)
	}
	text, query, err := o.connection()
	if err != nil {
		return nil, err
	}
	conf, err := esdb.ParseConnectionString(text)
	if err != nil {
		return nil, badConnection("%w", withoutURL(err))
	}
	if err := o.credentials(conf); err != nil {
		return nil, err
	}
	if err := conf.Validate(); err != nil {
		return nil, badConnection("%w", err)
	}
	conf.MaxDiscoverAttempts = 1 // the supervisor tries again, with a new client
	conf.DiscoveryInterval = 0
	conf.DefaultDeadline = nil
	if !query.Has("gossiptimeout") {
		conf.GossipTimeout = 2
	}
	return conf, nil
}

func badConnection(format string, args ...any) error {
	return domain.EField(domain.KindInvalid, "connection", format, args...)
}

// withoutURL is err without the connection string, which may hold a password.
func withoutURL(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}

// schemes are the successor's names for the same protocol.
var schemes = strings.NewReplacer("kurrentdb", "esdb", "kurrent", "esdb", "kdb", "esdb")

// connection is the connection string in the client's words, and its settings
// with keys in lower case.
func (o Options) connection() (string, url.Values, error) {
	scheme, rest, ok := strings.Cut(o.Connection, "://")
	scheme = schemes.Replace(scheme)
	if !ok || (scheme != "esdb" && scheme != "esdb+discover") {
		return "", nil, badConnection("it must begin with esdb:// or esdb+discover://")
	}
	hosts, raw, _ := strings.Cut(rest, "?")
	if strings.Contains(hosts, "[") {
		return "", nil, badConnection("the client takes no IPv6 addresses; give a name")
	}
	values, err := url.ParseQuery(raw)
	if err != nil {
		return "", nil, badConnection("settings: %w", err)
	}
	query := make(url.Values)
	for key, value := range values {
		key = strings.ToLower(key)
		if !slices.Contains(settings, key) {
			return "", nil, badConnection("unknown setting %q; known are %s", key, strings.Join(settings[:9], ", "))
		}
		query[key] = value
	}
	if n, err := strconv.Atoi(query.Get("keepaliveinterval")); err == nil && n != -1 && n < 10_000 {
		return "", nil, badConnection("keepAliveInterval %d: at least 10000 ms, or -1 for none", n)
	}
	return scheme + "://" + rest, query, nil
}

// credentials fills in user and password from their files.
func (o Options) credentials(conf *esdb.Configuration) error {
	for _, f := range []struct {
		name, path string
		into       *string
	}{{"user_file", o.UserFile, &conf.Username}, {"password_file", o.PasswordFile, &conf.Password}} {
		if f.path == "" {
			continue
		}
		text, err := os.ReadFile(f.path)
		if err != nil {
			return domain.EField(domain.KindInvalid, f.name, "%w", err)
		}
		if *f.into = strings.TrimSpace(string(text)); *f.into == "" {
			return domain.EField(domain.KindInvalid, f.name, "%s is empty", f.path)
		}
	}
	switch {
	case (conf.Username == "") != (conf.Password == ""):
		return badConnection("user and password go together: one is missing")
	case conf.Username != "" && conf.DisableTLS:
		return badConnection("there are credentials and tls=false: the client never sends them without TLS")
	}
	return nil
}
