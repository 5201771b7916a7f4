package simulation

import (
	"cmp"
	"context"
	"encoding/binary"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/operations"
	"counterfoil/operations/operationstest"
)

// opsData is an operations store in memory: what all processes share.
type opsData struct {
	mu        sync.Mutex
	callbacks []operations.Callback
	apiKeys   map[string]operations.APIKey
	saved     map[[2]string]savedAt
	dataKeys  map[domain.Stream]domain.DataKey
	leases    map[string]operations.Lease
	asks      map[askKey]operations.Ask
	runs      map[string]operations.Run
	cursors   map[string]uint64
	fault     func(call string) error // nil, or what befalls a write
}

type savedAt struct {
	operations.Saved
	at time.Time
}

type askKey struct {
	channel         domain.ChannelID
	order, trade, y string
}

func newOpsData() *opsData {
	return &opsData{
		apiKeys: map[string]operations.APIKey{}, saved: map[[2]string]savedAt{}, dataKeys: map[domain.Stream]domain.DataKey{},
		leases: map[string]operations.Lease{}, asks: map[askKey]operations.Ask{}, runs: map[string]operations.Run{},
		cursors: map[string]uint64{},
	}
}

// opsStore is one process's handle on the data.
type opsStore struct {
	data   *opsData
	mu     sync.Mutex
	closed bool
}

var _ operations.Store = (*opsStore)(nil)

func TestOperationsStore(t *testing.T) {
	t.Parallel()
	operationstest.Run(t, func(*testing.T) operationstest.Open {
		data := newOpsData()
		return func(*testing.T) operations.Store { return &opsStore{data: data} }
	})
}

// begin locks the data for one call.
func (s *opsStore) begin(ctx context.Context, write string) (done func(), err error) {
	s.mu.Lock()
	closed := s.closed
	s.mu.Unlock()
	if closed || ctx.Err() != nil {
		return nil, domain.E(domain.KindUnavailable, "operations store: closed %t, %v", closed, ctx.Err())
	}
	s.data.mu.Lock()
	if fault := s.data.fault; fault != nil && write != "" {
		if err := fault(write); err != nil {
			s.data.mu.Unlock()
			return nil, err
		}
	}
	return s.data.mu.Unlock, nil
}

func (s *opsStore) Ready(ctx context.Context) error {
	done, err := s.begin(ctx, "")
	if err == nil {
		done()
	}
	return err
}

func (s *opsStore) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return nil
}

func (s *opsStore) LogCallback(c operations.Callback) {
	done, err := s.begin(context.Background(), "")
	if err != nil {
		return
	}
	defer done()
	c.Seq = c.ReceivedAt.UnixMicro()
	if n := len(s.data.callbacks); n > 0 {
		c.Seq = max(c.Seq, s.data.callbacks[n-1].Seq+1)
	}
	s.data.callbacks = append(s.data.callbacks, c)
}

func (s *opsStore) Callbacks(ctx context.Context, f operations.CallbackFilter) ([]operations.Callback, error) {
	if f.Limit < 1 || f.Limit > 1000 {
		return nil, domain.EField(domain.KindInvalid, "limit", "%d is not 1 to 1000", f.Limit)
	}
	done, err := s.begin(ctx, "")
	if err != nil {
		return nil, err
	}
	defer done()
	var out []operations.Callback
	for _, c := range slices.Backward(s.data.callbacks) {
		fits := (f.Channel == "" || f.Channel == c.Channel) && (f.OrderNo == "" || f.OrderNo == c.OrderNo) &&
			(f.Outcome == "" || f.Outcome == c.Outcome) && !c.ReceivedAt.Before(f.Since) && (f.Before == 0 || c.Seq < f.Before)
		if fits && len(out) < f.Limit {
			c.Request = nil
			out = append(out, c)
		}
	}
	return out, nil
}

func (s *opsStore) RefusedCallbacks(ctx context.Context, channel string, since time.Time) ([]operations.Callback, error) {
	done, err := s.begin(ctx, "")
	if err != nil {
		return nil, err
	}
	defer done()
	var out []operations.Callback
	for _, c := range s.data.callbacks {
		if c.Outcome == domain.OutcomeRefused && (channel == "" || c.Channel == channel) && !c.ReceivedAt.Before(since) {
			out = append(out, c)
		}
	}
	return out, nil
}

func (s *opsStore) PutAPIKey(ctx context.Context, k operations.APIKey) error {
	if k.ID == "" {
		return domain.EField(domain.KindInvalid, "id", "is missing")
	}
	done, err := s.begin(ctx, "put api key")
	if err != nil {
		return err
	}
	defer done()
	if was := s.data.apiKeys[k.ID]; !was.RevokedAt.IsZero() {
		k.RevokedAt = was.RevokedAt
	}
	s.data.apiKeys[k.ID] = k
	return nil
}

func (s *opsStore) APIKey(ctx context.Context, id string) (operations.APIKey, error) {
	done, err := s.begin(ctx, "")
	if err != nil {
		return operations.APIKey{}, err
	}
	defer done()
	k, ok := s.data.apiKeys[id]
	if !ok {
		return k, domain.E(domain.KindNotFound, "no key %q", id)
	}
	return k, nil
}

func (s *opsStore) APIKeys(ctx context.Context) ([]operations.APIKey, error) {
	done, err := s.begin(ctx, "")
	if err != nil {
		return nil, err
	}
	defer done()
	return slices.SortedFunc(maps.Values(s.data.apiKeys), func(a, b operations.APIKey) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	}), nil
}

func (s *opsStore) RevokeAPIKey(ctx context.Context, id string, at time.Time) error {
	done, err := s.begin(ctx, "revoke api key")
	if err != nil {
		return err
	}
	defer done()
	k, ok := s.data.apiKeys[id]
	if !ok {
		return domain.E(domain.KindNotFound, "no key %q", id)
	}
	if k.RevokedAt.IsZero() {
		k.RevokedAt = at
		s.data.apiKeys[id] = k
	}
	return nil
}

func (s *opsStore) Begin(
	ctx context.Context, owner, key string, hash [32]byte, now time.Time,
) (saved operations.Saved, fresh bool, err error) {
	if owner == "" || key == "" {
		return saved, false, domain.EField(domain.KindInvalid, "key", "is missing")
	}
	done, err := s.begin(ctx, "begin")
	if err != nil {
		return saved, false, err
	}
	defer done()
	keep := 7 * 24 * time.Hour
	was, ok := s.data.saved[[2]string{owner, key}]
	if was.Status == 0 {
		keep = 10 * time.Second
	}
	if ok && now.Sub(was.at) < keep {
		return was.Saved, false, nil
	}
	s.data.saved[[2]string{owner, key}] = savedAt{operations.Saved{RequestHash: hash}, now}
	return saved, true, nil
}

func (s *opsStore) Finish(ctx context.Context, owner, key string, status int, body []byte) error {
	switch {
	case status < 100 || status > 599:
		return domain.EField(domain.KindInvalid, "status", "%d", status)
	case len(body) > 1<<20:
		return domain.EField(domain.KindTooLarge, "body", "%d bytes", len(body))
	}
	done, err := s.begin(ctx, "finish")
	if err != nil {
		return err
	}
	defer done()
	was, ok := s.data.saved[[2]string{owner, key}]
	if !ok {
		return domain.E(domain.KindNotFound, "key %q is not claimed", key)
	}
	if was.Status == 0 {
		was.Status, was.Body = status, slices.Clone(body)
		s.data.saved[[2]string{owner, key}] = was
	}
	return nil
}

func (s *opsStore) Forget(ctx context.Context, owner, key string) error {
	done, err := s.begin(ctx, "forget")
	if err != nil {
		return err
	}
	defer done()
	delete(s.data.saved, [2]string{owner, key})
	return nil
}

func (s *opsStore) EnsureDataKey(ctx context.Context, stream domain.Stream) (domain.DataKey, error) {
	if stream == "" {
		return domain.DataKey{}, domain.EField(domain.KindInvalid, "stream", "is missing")
	}
	done, err := s.begin(ctx, "ensure data key")
	if err != nil {
		return domain.DataKey{}, err
	}
	defer done()
	key, ok := s.data.dataKeys[stream]
	if !ok {
		binary.BigEndian.PutUint64(key[:], uint64(len(s.data.dataKeys)+1))
		s.data.dataKeys[stream] = key
	}
	return key, nil
}

func (s *opsStore) DestroyDataKey(ctx context.Context, stream domain.Stream) error {
	done, err := s.begin(ctx, "destroy data key")
	if err != nil {
		return err
	}
	defer done()
	delete(s.data.dataKeys, stream)
	return nil
}

func (s *opsStore) DataKey(ctx context.Context, stream domain.Stream) (domain.DataKey, error) {
	if stream == "" {
		return domain.DataKey{}, domain.EField(domain.KindInvalid, "stream", "is missing")
	}
	done, err := s.begin(ctx, "")
	if err != nil {
		return domain.DataKey{}, err
	}
	defer done()
	key, ok := s.data.dataKeys[stream]
	if !ok {
		return key, domain.E(domain.KindNotFound, "no data key for %s", stream)
	}
	return key, nil
}

func (s *opsStore) Acquire(ctx context.Context, name, holder string, now time.Time, ttl time.Duration) (operations.Lease, error) {
	if name == "" || holder == "" || ttl <= 0 || now.IsZero() {
		return operations.Lease{}, domain.E(domain.KindInvalid, "lease %q of %q for %s", name, holder, ttl)
	}
	done, err := s.begin(ctx, "acquire")
	if err != nil {
		return operations.Lease{}, err
	}
	defer done()
	have := s.data.leases[name]
	if have.Holder != holder {
		if have.Holder != "" && now.Before(have.Until) {
			return operations.Lease{}, domain.E(domain.KindConflict, "lease %s is held by %s", name, have.Holder)
		}
		have.Token++
	}
	have.Name, have.Holder, have.Until = name, holder, domain.Instant(now.Add(ttl))
	s.data.leases[name] = have
	return have, nil
}

func (s *opsStore) Release(ctx context.Context, l operations.Lease) error {
	done, err := s.begin(ctx, "release")
	if err != nil {
		return err
	}
	defer done()
	if have := s.data.leases[l.Name]; have.Holder == l.Holder && have.Token == l.Token {
		have.Holder, have.Until = "", time.Time{}
		s.data.leases[l.Name] = have
	}
	return nil
}

func keyOf(a operations.Ask) askKey { return askKey{a.Channel, a.OrderNo, a.TradeNo, a.Why} }

func (s *opsStore) PutAsks(ctx context.Context, asks []operations.Ask) error {
	return s.write(ctx, asks, true)
}

func (s *opsStore) AddAsks(ctx context.Context, asks []operations.Ask) error {
	return s.write(ctx, asks, false)
}

func (s *opsStore) write(ctx context.Context, asks []operations.Ask, replace bool) error {
	done, err := s.begin(ctx, "write asks")
	if err != nil {
		return err
	}
	defer done()
	for _, a := range asks {
		if _, there := s.data.asks[keyOf(a)]; replace || !there {
			s.data.asks[keyOf(a)] = a
		}
	}
	return nil
}

func (s *opsStore) ClaimAsks(ctx context.Context, now, until time.Time, limit int) ([]operations.Ask, error) {
	if limit < 1 || !until.After(now) {
		return nil, domain.E(domain.KindInvalid, "claim %d from %s to %s", limit, now, until)
	}
	done, err := s.begin(ctx, "claim asks")
	if err != nil {
		return nil, err
	}
	defer done()
	due := slices.SortedFunc(maps.Values(s.data.asks), func(a, b operations.Ask) int {
		return cmp.Or(
			a.NextAt.Compare(b.NextAt), cmp.Compare(a.Channel, b.Channel), cmp.Compare(a.OrderNo, b.OrderNo),
			cmp.Compare(a.TradeNo, b.TradeNo), cmp.Compare(a.Why, b.Why),
		)
	})
	due = slices.DeleteFunc(due, func(a operations.Ask) bool { return a.Done || a.NextAt.After(now) })
	due = heldFirst(due, min(limit, 1000))
	for _, a := range due {
		a.NextAt = domain.Instant(until)
		s.data.asks[keyOf(a)] = a
	}
	return due, nil
}

// heldFirst is limit of the asks, held ones first, with a quarter left to the
// others.
func heldFirst(due []operations.Ask, limit int) []operations.Ask {
	var held, others []operations.Ask
	for _, a := range due {
		if a.Why == "held" {
			held = append(held, a)
		} else {
			others = append(others, a)
		}
	}
	others = others[:min(len(others), max(limit-len(held), limit/4))]
	return append(held[:min(len(held), limit-len(others))], others...)
}

func (s *opsStore) Asks(ctx context.Context, ch domain.ChannelID, orderNo string) ([]operations.Ask, error) {
	done, err := s.begin(ctx, "")
	if err != nil {
		return nil, err
	}
	defer done()
	var out []operations.Ask
	for _, a := range s.data.asks {
		if a.Channel == ch && a.OrderNo == orderNo {
			out = append(out, a)
		}
	}
	slices.SortFunc(out, func(a, b operations.Ask) int {
		return cmp.Or(cmp.Compare(a.TradeNo, b.TradeNo), cmp.Compare(a.Why, b.Why))
	})
	return out, nil
}

func (s *opsStore) OpenAsks(ctx context.Context) (int, error) {
	done, err := s.begin(ctx, "")
	if err != nil {
		return 0, err
	}
	defer done()
	n := 0
	for _, a := range s.data.asks {
		if !a.Done {
			n++
		}
	}
	return n, nil
}

func (s *opsStore) PutRun(ctx context.Context, r operations.Run) error {
	if r.ID == "" || r.Kind == "" {
		return domain.EField(domain.KindInvalid, "id", "is missing")
	}
	done, err := s.begin(ctx, "put run")
	if err != nil {
		return err
	}
	defer done()
	s.data.runs[r.ID] = r
	return nil
}

func (s *opsStore) Run(ctx context.Context, id string) (operations.Run, error) {
	done, err := s.begin(ctx, "")
	if err != nil {
		return operations.Run{}, err
	}
	defer done()
	r, ok := s.data.runs[id]
	if !ok {
		return r, domain.E(domain.KindNotFound, "no run %q", id)
	}
	return r, nil
}

func (s *opsStore) Runs(ctx context.Context, kind string, limit int) ([]operations.Run, error) {
	if limit < 1 {
		return nil, domain.EField(domain.KindInvalid, "limit", "%d", limit)
	}
	done, err := s.begin(ctx, "")
	if err != nil {
		return nil, err
	}
	defer done()
	var out []operations.Run
	for _, r := range s.data.runs {
		if kind == "" || r.Kind == kind {
			out = append(out, r)
		}
	}
	slices.SortFunc(out, func(a, b operations.Run) int {
		return cmp.Or(b.StartedAt.Compare(a.StartedAt), cmp.Compare(b.ID, a.ID))
	})
	return out[:min(len(out), limit)], nil
}

func (s *opsStore) Cursor(ctx context.Context, name string) (uint64, error) {
	done, err := s.begin(ctx, "")
	if err != nil {
		return 0, err
	}
	defer done()
	return s.data.cursors[name], nil
}

func (s *opsStore) PutCursor(ctx context.Context, name string, v uint64) error {
	if name == "" {
		return domain.EField(domain.KindInvalid, "cursor", "is missing")
	}
	done, err := s.begin(ctx, "put cursor")
	if err != nil {
		return err
	}
	defer done()
	s.data.cursors[name] = v
	return nil
}
