package simulation

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/eventstore/memory"
	"counterfoil/httpapi"
	"counterfoil/ledger"
	"counterfoil/operations"
	"counterfoil/projections"
	psqlite "counterfoil/projections/sqlite"
	"counterfoil/providers"
	"counterfoil/sandbox"
)

// The channels: V1 that asks first, V1 that believes callbacks, V2.
const (
	careful  domain.ChannelID = "epay-a"
	trusting domain.ChannelID = "epay-b"
	signed   domain.ChannelID = "epay-c"
)

var (
	channelIDs = []domain.ChannelID{careful, trusting, signed}
	pids       = map[domain.ChannelID]string{careful: "1001", trusting: "1002", signed: "1003"}
	ledgerID   = domain.NewV5(domain.ID{}, "ledger of the simulation")
	dawn       = time.Date(2026, 3, 14, 2, 0, 0, 0, time.UTC)
)

// pairs are made once: RSA keys are slow to find. They are the one thing that
// is not from the seed, and no trace holds them.
var gatewayPair, merchantPair = sync.OnceValues(sandbox.NewKeyPair), sync.OnceValues(sandbox.NewKeyPair)

// broken is what a run panics with when the rules are broken.
type broken struct{ error }

// world is everything there is.
type world struct {
	seed    uint64
	rnd     *rand.Rand
	now     time.Time // true time; each process has it a little wrong
	clockMu sync.Mutex

	store *conflicts
	log   *memory.Faulty
	mood  mood // of the log, at this moment
	data  *opsData
	rows  *psqlite.DB
	dir   string

	box  *sandbox.Sandbox
	gate *gate
	wire sync.Mutex // one callback at a time

	apis     []*process
	sweepers []*process
	token    string
	nested   bool // somebody acts in the middle of another's step
	healing  bool // no more faults

	orders []*order
	acks   map[ack]int
	check  *checker
	trace  hash.Hash
	lines  []string       // of the trace
	seen   map[string]int // what happened, by kind: a run in which nothing happens proves nothing
	bad    error          // found where nothing may panic
}

func newWorld(dir string, seed uint64) *world {
	w := &world{
		seed: seed, rnd: rand.New(rand.NewPCG(seed, 0x5eed)), now: dawn, dir: dir, store: &conflicts{Store: memory.New()}, data: newOpsData(),
		acks: map[ack]int{}, trace: sha256.New(), seen: map[string]int{},
	}
	w.log = memory.NewFaulty(w.store)
	w.check = newChecker(w)
	w.do(ledger.Init(context.Background(), w.store, ledgerID, domain.ModeTest, ledger.Config{Software: software, Clock: w.clock}))
	var err error
	w.rows, err = psqlite.Open(filepath.Join(dir, "projections.db"), psqlite.Config{Poll: time.Hour})
	w.do(err)
	w.openGateway()
	w.makeKey()
	for i := range 2 {
		w.apis = append(w.apis, w.newProcess(fmt.Sprint("api", i), i))
		w.sweepers = append(w.sweepers, w.newProcess(fmt.Sprint("sweeper", i), i))
	}
	w.data.fault = w.operationsFault
	return w
}

const software = "simulation/1"

// close ends what runs in the background.
func (w *world) close() {
	w.gate.leave()
	w.box.Stop()
	_ = w.rows.Close()
}

// do ends the run on an error of the harness itself.
func (w *world) do(err error) {
	if err != nil {
		panic(broken{err})
	}
}

// fail ends the run: a rule is broken.
func (w *world) fail(format string, args ...any) { panic(broken{fmt.Errorf(format, args...)}) }

func (w *world) clock() time.Time {
	w.clockMu.Lock()
	defer w.clockMu.Unlock()
	return w.now
}

// step lets time pass.
func (w *world) step(d time.Duration) {
	w.clockMu.Lock()
	defer w.clockMu.Unlock()
	w.now = w.now.Add(d)
}

// conflicts is the log, and how often two writers met there.
type conflicts struct {
	*memory.Store
	met int
}

// Append implements eventstore.Appender.
func (c *conflicts) Append(
	ctx context.Context, s domain.Stream, expected eventstore.Expected, events []eventstore.Event,
) (eventstore.Appended, error) {
	at, err := c.Store.Append(ctx, s, expected, events)
	if err != nil && domain.KindOf(err) == domain.KindConflict {
		c.met++
	}
	return at, err
}

// note writes a line of the trace.
func (w *world) note(format string, args ...any) {
	line := fmt.Sprintf(format, args...)
	_, _ = fmt.Fprintln(w.trace, line)
	w.lines = append(w.lines, line)
}

func (w *world) hash() string { return hex.EncodeToString(w.trace.Sum(nil))[:16] }

// orderNumber is how the orders of a run are named.
var orderNumber = regexp.MustCompile(`S\d+N\d+`)

// story is what the trace says about the orders that an error names, and its
// end: for whoever must find out what happened.
func (w *world) story(err error) string {
	named := orderNumber.FindAllString(err.Error(), -1)
	var out []string
	for i, line := range w.lines {
		about := slices.ContainsFunc(named, func(no string) bool { return strings.Contains(line, no) })
		if about || i >= len(w.lines)-20 {
			out = append(out, fmt.Sprintf("%5d %s", i, line))
		}
	}
	return strings.Join(out, "\n  ")
}

// chance is true in so many of a hundred cases, and never while all is healed.
func (w *world) chance(percent int) bool { return w.rnd.IntN(100) < percent && !w.healing }

func pick[T any](w *world, of []T) T { return of[w.rnd.IntN(len(of))] }

func (w *world) openGateway() {
	gateway, err := gatewayPair()
	w.do(err)
	merchant, err := merchantPair()
	w.do(err)
	w.box, err = sandbox.New(sandbox.Config{
		Now: w.clock, Seed: w.seed, BaseURL: "http://gateway.test", Workers: 1, Transport: toShop{w},
		Merchants: []sandbox.MerchantConfig{
			{PID: pids[careful]},
			{PID: pids[trusting], PostCallbacks: true},
			{PID: pids[signed], Version: sandbox.V2, PlatformKey: gateway.Private, MerchantKey: merchant.Private},
		},
	})
	w.do(err)
	w.box.Start()
	w.gate = newGate(w.box)
}

// makeKey makes the shop's API key.
func (w *world) makeKey() {
	token, sum := httpapi.NewKey("shopshopshop", [32]byte{1})
	w.token = token
	w.do((&opsStore{data: w.data}).PutAPIKey(context.Background(), operations.APIKey{
		ID: "shopshopshop", SHA256: sum, Person: "shop", Scopes: []operations.Scope{operations.ScopeAdmin}, CreatedAt: dawn,
	}))
}

// fold brings the projections to the head of the log.
func (w *world) fold() {
	w.do(projections.NewRunner(w.store, w.rows, projections.Config{Pace: -1}).CatchUp(context.Background(), 0))
}

// gate lets the gateway's callbacks out only when the world waits for them: in
// between it holds the gateway's one worker.
type gate struct {
	box    *sandbox.Sandbox
	resume chan struct{}
}

func newGate(box *sandbox.Sandbox) *gate {
	g := &gate{box: box}
	g.park()
	return g
}

// park waits until everything due before has run, and holds the worker.
func (g *gate) park() {
	arrived, resume := make(chan struct{}), make(chan struct{})
	g.box.After(0, func(ctx context.Context) {
		close(arrived)
		select {
		case <-resume:
		case <-ctx.Done():
		}
	})
	if g.resume != nil {
		close(g.resume)
	}
	<-arrived
	g.resume = resume
}

func (g *gate) leave() {
	close(g.resume)
	g.resume = nil
}

// settle lets everything go out that is due now, and what follows from it at
// once. A callback may cause another one only by being sent, so two rounds
// without one mean rest.
func (g *gate) settle() {
	for quiet := 0; quiet < 3; {
		sent, pending := g.box.AttemptCount(), g.box.Pending()
		g.park()
		if g.box.AttemptCount() == sent && g.box.Pending() == pending {
			quiet++
		} else {
			quiet = 0
		}
	}
}

// channelSet is every process's own channels, made with its own clock.
type channelSet map[domain.ChannelID]providers.Channel

var discard = slog.New(slog.DiscardHandler)

// answer is an HTTP answer as a client has it.
type answer struct {
	status int
	body   string
	header http.Header
}
