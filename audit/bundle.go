package audit

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/ledger"
	"counterfoil/tamperlog"
)

// BundleFormat names the shape of a bundle. A program reads those it knows and
// refuses the others by name. The first one, which is read for ever, held
// neither openings, policies nor draws: its readers would take them for foreign.
const (
	BundleFormat      = "counterfoil-bundle/2"
	firstBundleFormat = "counterfoil-bundle/1"
)

// MaxBundleEvents bounds a bundle: it is read whole into memory.
const MaxBundleEvents = 200_000

// The kinds of a bundle.
const (
	SubjectPayment = "payment" // one payment: "channel/order"
	SubjectAccount = "account" // every payment for an account, every opening that gave it a balance, and what it spent
	SubjectPeriod  = "period"  // every payment and opening with money of a month: "2026-11"
)

// Subject says what a bundle is about.
type Subject struct {
	Kind string `json:"kind"`
	Name string `json:"name"`
}

// ParsePaymentSubject reads "channel/order".
func ParsePaymentSubject(s string) (domain.ChannelID, domain.OrderNo, error) {
	ch, order, ok := strings.Cut(s, "/")
	if !ok {
		return "", "", domain.E(domain.KindInvalid, "%q is not CHANNEL/ORDER", s)
	}
	id, err := domain.ParseChannelID(ch)
	if err != nil {
		return "", "", err
	}
	no, err := domain.ParseOrderNo(order)
	return id, no, err
}

// manifest is the table of contents of a bundle.
type manifest struct {
	Format     string           `json:"format"`
	Ledger     string           `json:"ledger"`
	Mode       domain.Mode      `json:"mode"`
	MadeAt     time.Time        `json:"made_at"`
	Software   string           `json:"software"`
	Subject    Subject          `json:"subject"`
	Checkpoint manifestHead     `json:"checkpoint"`
	Streams    []manifestStream `json:"streams"`
	Keys       []manifestKey    `json:"keys"`
	Files      []manifestFile   `json:"files"`
}

type manifestHead struct {
	Size uint64 `json:"size"`
	Root string `json:"root"`
}

type manifestStream struct {
	Stream domain.Stream `json:"stream"`
	Events int           `json:"events"`
}

type manifestKey struct {
	Channel     domain.ChannelID `json:"channel"`
	Fingerprint string           `json:"fingerprint"`
	Use         string           `json:"use"`
	Obtained    string           `json:"obtained"`
	File        string           `json:"file"`
}

type manifestFile struct {
	Name   string `json:"name"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// The files of a bundle.
const (
	manifestName = "manifest.json"
	headName     = "checkpoint"
	logKeyName   = "log.key"
	eventsName   = "events.ndjson"
	proofsName   = "proofs.ndjson"
	summaryName  = "summary.html"
)

const secretsDir = "secrets/"

func sealedName(index uint64) string { return fmt.Sprintf("evidence/%d.sealed", index) }
func openedName(index uint64) string { return fmt.Sprintf("evidence/%d.json", index) }

// eventLine and proofLine are the lines of events.ndjson and proofs.ndjson.
type eventLine struct {
	Index    uint64 `json:"index"`
	Position string `json:"position"` // in the store, for people; no proof covers it
	preimageJSON
}

type proofLine struct {
	Index uint64   `json:"index"`
	Path  []string `json:"path"`
}

// bundled is an event of a bundle.
type bundled struct {
	eventstore.Recorded
	index  uint64
	path   tamperlog.Proof
	opened []byte // nil when withheld or erased
	entry  ledger.Entry
}

// BundleDeps is what a bundle is made of.
type BundleDeps struct {
	Log    eventstore.Reader
	Ledger *ledger.Ledger
	Tree   *tamperlog.Folder
	// Describe puts a fact into a few words for the summary.
	Describe func(domain.Fact) string
	Software string
	Now      time.Time
	Secrets  Secrets // that go into the bundle, in the clear; nil for none
}

// BundleOptions say what goes into a bundle.
type BundleOptions struct {
	Subject  Subject
	Personal bool // open the personal fields of placed payments, too
}

// collection is everything of a bundle before it is written.
type collection struct {
	deps   BundleDeps
	o      BundleOptions
	head   tamperlog.Signed
	last   eventstore.Position // of the last signed event
	events []bundled
	count  map[domain.Stream]int
}

// collect reads what belongs to the subject: whole streams, the settings and
// the policies of their channels, and the opening of the ledger.
func collect(ctx context.Context, d BundleDeps, o BundleOptions) (*collection, error) {
	c := &collection{deps: d, o: o, count: map[domain.Stream]int{}}
	var err error
	if c.head, err = d.Tree.Checkpoint(); err != nil {
		return nil, err
	}
	if c.head.Size == 0 {
		return nil, domain.E(domain.KindNotFound, "nothing is signed yet")
	}
	last, err := d.Tree.Leaf(c.head.Size-1, c.head.Size)
	if err != nil {
		return nil, err
	}
	c.last = last.Position
	streams, err := c.streams(ctx)
	if err != nil {
		return nil, err
	}
	for _, s := range c.withSettings(streams) {
		if err := c.stream(ctx, s); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(c.events, func(a, b bundled) int { return cmp.Compare(a.index, b.index) })
	return c, nil
}

// streams are the payments, openings and draws of the subject. One payment's life
// rests on no opening: its bundle shows no balance.
func (c *collection) streams(ctx context.Context) ([]domain.Stream, error) {
	if c.o.Subject.Kind == SubjectPayment {
		ch, order, err := ParsePaymentSubject(c.o.Subject.Name)
		if err != nil {
			return nil, err
		}
		return []domain.Stream{domain.PaymentStream(ch, order)}, nil
	}
	found := map[domain.Stream]bool{}
	for b, err := range c.deps.Log.Follow(ctx, 0, eventstore.FollowOptions{}) {
		if err != nil {
			return nil, fmt.Errorf("read the log: %w", err)
		}
		for _, e := range b.Events {
			if e.Position > c.last || !c.o.Subject.holds(e.Stream) || found[e.Stream] {
				continue
			}
			entry, err := ledger.Decode(e)
			if err != nil {
				return nil, err
			}
			if c.o.Subject.covers(entry.Fact) {
				found[e.Stream] = true
			}
		}
		if b.CaughtUp || b.Position >= c.last {
			break
		}
	}
	if len(found) == 0 {
		return nil, domain.E(domain.KindNotFound, "the log has nothing of %s %s", c.o.Subject.Kind, c.o.Subject.Name)
	}
	return slices.Sorted(maps.Keys(found)), ctx.Err()
}

// ofChannels tells whether a stream is of the kinds that a bundle can be about and
// that rest on a channel's settings.
func ofChannels(s domain.Stream) bool {
	category := s.Category()
	return category == "payment" || category == "opening"
}

// holds tells whether a bundle can be about such a stream. What customers spent
// is in the bundles of their accounts alone: it is no part of what came in.
func (s Subject) holds(stream domain.Stream) bool {
	return ofChannels(stream) || stream.Category() == "draw" && s.Kind == SubjectAccount
}

// covers tells whether a fact makes its stream one of the subject's.
func (s Subject) covers(f domain.Fact) bool {
	for _, p := range domain.PostingsOf(f) {
		if s.Kind == SubjectAccount && string(p.Wallet) == s.Name {
			return true
		}
	}
	if p, ok := f.(domain.PaymentPlaced); ok && s.Kind == SubjectAccount {
		return string(p.Account) == s.Name
	}
	dates, ok := domain.DatesOf(f)
	return s.Kind == SubjectPeriod && ok && dates.Period == s.Name
}

// withSettings adds the streams that the subject's decisions rest on: settings
// with who agreed to them, which periods were open, and people's keys.
func (c *collection) withSettings(subject []domain.Stream) []domain.Stream {
	out := []domain.Stream{domain.LedgerStream, domain.PeriodsStream, domain.PeopleStream}
	channels := map[domain.ChannelID]bool{}
	for _, s := range subject {
		if ofChannels(s) {
			channels[channelOf(s)] = true
		}
	}
	for _, ch := range slices.Sorted(maps.Keys(channels)) {
		out = append(out, domain.ChannelStream(ch), domain.PolicyStream(ch))
	}
	return append(out, subject...)
}

// mayLack tells of streams that many logs have not: no period was ever to be
// closed, nobody has a key, a channel's settings never changed.
func mayLack(s domain.Stream) bool {
	return s == domain.PeriodsStream || s == domain.PeopleStream || s.Category() == "policy"
}

// stream adds the sealed events of a stream with their proofs.
func (c *collection) stream(ctx context.Context, s domain.Stream) error {
	events, err := c.deps.Log.ReadStream(ctx, s, eventstore.ReadOptions{Sealed: true})
	if mayLack(s) && err != nil && domain.KindOf(err) == domain.KindNotFound {
		return nil
	}
	if err != nil {
		return err
	}
	erased, err := erasedThrough(events)
	if err != nil {
		return err
	}
	for _, e := range events {
		if e.Position > c.last {
			break // not signed yet
		}
		if len(c.events) == MaxBundleEvents {
			return domain.E(domain.KindTooLarge, "a bundle holds at most %d events: choose a smaller subject", MaxBundleEvents)
		}
		b, err := c.prove(ctx, e, e.Revision < erased)
		if err != nil {
			return fmt.Errorf("event at position %s: %w", e.Position, err)
		}
		c.events = append(c.events, b)
		c.count[s]++
	}
	return nil
}

// erasedThrough is the revision up to which, without itself, sealed parts of a
// stream were erased, whether or not a backup brought their key back.
func erasedThrough(events []eventstore.Recorded) (end uint64, err error) {
	all, err := ledger.Erasures(events)
	for _, f := range all {
		end = max(end, f.Through+1)
	}
	return end, err
}

func (c *collection) prove(ctx context.Context, e eventstore.Recorded, erased bool) (b bundled, err error) {
	b.Recorded = e
	if b.entry, err = ledger.Decode(e); err != nil {
		return b, err
	}
	leaf, err := c.deps.Tree.ByPosition(e.Position, c.head.Size)
	if err != nil {
		return b, err
	}
	if leaf.Hash != preimageOf(e).leaf() {
		return b, domain.E(domain.KindCorrupt, "it is not the event that was sealed: run `counterfoil verify`")
	}
	b.index = leaf.Index
	if b.path, err = c.deps.Tree.Inclusion(c.head.Checkpoint, leaf.Index, c.head.Size); err != nil {
		return b, err
	}
	if _, placed := b.entry.Fact.(domain.PaymentPlaced); len(e.Sealed) == 0 || placed && !c.o.Personal {
		return b, nil
	}
	if erased {
		return b, nil // the bundle says so by leaving it out
	}
	b.opened, err = c.deps.Ledger.Open(ctx, e)
	if domain.KindOf(err) == domain.KindNotFound {
		err = nil // its key is lost: it is left out, too
	}
	return b, err
}
