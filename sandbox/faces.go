package sandbox

import (
	"net/http"
	"slices"
	"sync"
	"time"

	"counterfoil/domain"
	"counterfoil/sandbox/stage"
)

// mount is a face in its place.
type mount struct {
	face   stage.Face
	routes http.Handler // nil for the gateway, which has the root
	rates  []Rate       // complete, for this face
	next   *queue       // faults of its next payments
}

// queue are faults that wait for payments, one entry for each.
type queue struct {
	mu     sync.Mutex
	faults map[string][][]Fault // by merchant
}

func (q *queue) push(merchant string, faults []Fault) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.faults[merchant] = append(q.faults[merchant], faults)
}

func (q *queue) pop(merchant string) (faults []Fault, found bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	waiting := q.faults[merchant]
	if len(waiting) == 0 {
		return nil, false
	}
	q.faults[merchant] = waiting[1:]
	return waiting[0], true
}

// reserved are first parts of paths that belong to the root.
var reserved = []string{Name, "sandbox", "pay", "api"}

// Mount adds another provider, made on s.Stage(), under its name. KindConflict
// for a name that is taken.
func (s *Sandbox) Mount(f stage.Face) error {
	name := f.Name()
	s.mounts.Lock()
	defer s.mounts.Unlock()
	if slices.Contains(reserved, name) || slices.ContainsFunc(s.faces, func(m mount) bool { return m.face.Name() == name }) {
		return domain.EField(domain.KindConflict, "face", "there is a face %q already", name)
	}
	m := mount{face: f, next: &queue{faults: map[string][][]Fault{}}}
	m.routes = http.StripPrefix("/"+name, s.faceRoutes(m))
	var err error
	if m.rates, err = ratesFor(f, s.rates); err != nil {
		return err
	}
	s.faces = append(s.faces, m)
	return nil
}

// Faces lists the mounted providers, the Epay gateway first.
func (s *Sandbox) Faces() []stage.Face {
	s.mounts.RLock()
	defer s.mounts.RUnlock()
	all := make([]stage.Face, 0, len(s.faces))
	for _, m := range s.faces {
		all = append(all, m.face)
	}
	return all
}

func (s *Sandbox) mounted(name string) (mount, error) {
	s.mounts.RLock()
	defer s.mounts.RUnlock()
	for _, m := range s.faces {
		if m.face.Name() == name {
			return m, nil
		}
	}
	return mount{}, domain.EField(domain.KindNotFound, "face", "there is no face %.40q", name)
}

// Face is a mounted provider by its name.
func (s *Sandbox) Face(name string) (stage.Face, error) {
	m, err := s.mounted(name)
	return m.face, err
}

// Truth is the books of every merchant of every face.
func (s *Sandbox) Truth() []stage.MerchantBooks {
	var all []stage.MerchantBooks
	for _, f := range s.Faces() {
		all = append(all, f.Books()...)
	}
	return all
}

// Channels is a ready Counterfoil channel for every merchant of every face.
func (s *Sandbox) Channels() []stage.Channel {
	var all []stage.Channel
	for _, f := range s.Faces() {
		all = append(all, f.Channels()...)
	}
	return all
}

// PayAt lets the payer pay an order of a face, with the faults that were set
// for it or fall to it by chance.
func (s *Sandbox) PayAt(face, id string) (stage.Order, error) {
	m, err := s.mounted(face)
	if err != nil {
		return stage.Order{}, err
	}
	if m.next == nil {
		return gateway{s}.seen(s.Pay(id))
	}
	o, err := orderOf(m.face, id)
	if err != nil {
		return stage.Order{}, err
	}
	faults, set := m.next.pop(o.Merchant)
	if !set {
		faults = m.face.Classes().Draw(m.rates, o.Merchant, s.stage.Chance(face, o.Merchant, o.OrderNo), always)
	}
	return m.face.Pay(id, faults...)
}

func always(Fault) bool { return true }

func orderOf(f stage.Face, id string) (stage.Order, error) {
	found := f.Orders(stage.OrderFilter{ID: id, Limit: 1})
	if id == "" || len(found) == 0 {
		return stage.Order{}, domain.EField(domain.KindNotFound, "trade_no", "there is no order %.40q at %s", id, f.Name())
	}
	return found[0], nil
}

// NextAt sets the faults of the next payment of a face's merchant, after those
// set before.
func (s *Sandbox) NextAt(face, merchant string, faults ...Fault) error {
	m, err := s.mounted(face)
	if err != nil {
		return err
	}
	if m.next == nil {
		return s.Next(merchant, faults...)
	}
	if err := hasMerchant(m.face, merchant); err != nil {
		return err
	}
	if _, _, err := m.face.Classes().Sort(faults); err != nil {
		return err
	}
	m.next.push(merchant, faults)
	return nil
}

func hasMerchant(f stage.Face, merchant string) error {
	if slices.ContainsFunc(f.Channels(), func(c stage.Channel) bool { return c.Merchant == merchant }) {
		return nil
	}
	return domain.EField(domain.KindNotFound, "pid", "%s has no merchant %.64q", f.Name(), merchant)
}

// OutageAt lets the answers or the bills of a face's merchant go wrong for a
// while of real time. A zero length ends it.
func (s *Sandbox) OutageAt(face, merchant string, f Fault, length time.Duration) error {
	m, err := s.mounted(face)
	if err != nil {
		return err
	}
	if m.next == nil {
		return s.Outage(merchant, f, length)
	}
	if err := hasMerchant(m.face, merchant); err != nil {
		return err
	}
	return m.face.Troubles().Outage(m.face.Classes(), merchant, f, s.stage.Now().Add(length))
}

// SetRates replaces the faults by chance for payments from now on. A rate
// without a face holds for every face that knows its class; KindInvalid for one
// that no face knows.
func (s *Sandbox) SetRates(rates []Rate) error {
	s.mounts.Lock()
	defer s.mounts.Unlock()
	all := make([][]Rate, len(s.faces))
	for i, m := range s.faces {
		var err error
		if all[i], err = ratesFor(m.face, rates); err != nil {
			return err
		}
	}
	done := make([]Rate, 0, len(rates))
	for _, r := range rates {
		at := slices.IndexFunc(s.faces, func(m mount) bool { return meant(m.face, r) })
		if at < 0 {
			return domain.EField(domain.KindInvalid, "class", "there is no fault class %q at any face %s", r.Class, r.Face)
		}
		f, err := s.faces[at].face.Classes().Complete(r.Fault)
		if err != nil {
			return err
		}
		r.Fault = f
		done = append(done, r)
	}
	s.rates = done
	for i := range s.faces {
		s.faces[i].rates = all[i]
	}
	return nil
}

// meant reports whether a rate is for a face.
func meant(f stage.Face, r Rate) bool {
	_, known := f.Classes()[r.Class]
	return known && (r.Face == "" || r.Face == f.Name())
}

// ratesFor are the rates that hold for a face, complete.
func ratesFor(f stage.Face, rates []Rate) ([]Rate, error) {
	var mine []Rate
	for _, r := range rates {
		if meant(f, r) {
			mine = append(mine, r)
		}
	}
	return f.Classes().CompleteRates(mine)
}

// Rates lists the faults by chance.
func (s *Sandbox) Rates() []Rate {
	s.mounts.RLock()
	defer s.mounts.RUnlock()
	return append([]Rate{}, s.rates...)
}

func (s *Sandbox) ratesOf(face string) []Rate {
	m, err := s.mounted(face)
	if err != nil {
		return nil
	}
	return m.rates
}
