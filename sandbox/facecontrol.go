package sandbox

import (
	"net/http"
	"time"

	"counterfoil/domain"
	"counterfoil/sandbox/stage"
)

// faceControl is the control interface that is the same for every provider,
// the gateway included: /sandbox/faces/{face}/….
func (s *Sandbox) faceControl(mux *http.ServeMux) {
	const at = " /sandbox/faces/{face}"
	mux.HandleFunc("GET /sandbox/faces", answer0(func(*http.Request) (any, error) { return s.faceViews(), nil }))
	mux.HandleFunc("GET /sandbox/channels", answer0(func(*http.Request) (any, error) { return s.Channels(), nil }))
	mux.HandleFunc("GET /sandbox/truth", answer0(func(*http.Request) (any, error) { return s.Truth(), nil }))
	mux.HandleFunc("GET"+at+"/orders", answer0(s.faceOrders))
	mux.HandleFunc("POST"+at+"/orders", onFace(s, func(_ *http.Request, f stage.Face, in stage.OpenOrder) (any, error) {
		return f.Open(in)
	}))
	mux.HandleFunc("GET"+at+"/orders/{id}", answer0(func(r *http.Request) (any, error) {
		f, err := s.Face(r.PathValue("face"))
		if err != nil {
			return nil, err
		}
		return orderOf(f, r.PathValue("id"))
	}))
	mux.HandleFunc("POST"+at+"/orders/{id}/pay", onFace(s, func(r *http.Request, f stage.Face, p payment) (any, error) {
		if p.Faults == nil {
			return s.PayAt(f.Name(), r.PathValue("id"))
		}
		return f.Pay(r.PathValue("id"), p.Faults...)
	}))
	mux.HandleFunc("POST"+at+"/orders/{id}/faults", onFace(s, func(r *http.Request, f stage.Face, fault Fault) (any, error) {
		return f.Fire(r.PathValue("id"), fault)
	}))
	mux.HandleFunc("POST"+at+"/orders/{id}/refunds", onFace(s, func(r *http.Request, f stage.Face, in stage.RefundOrder) (any, error) {
		in.ID = r.PathValue("id")
		return f.Refund(in)
	}))
	mux.HandleFunc("POST"+at+"/orders/{id}/disputes", onFace(s, openDispute))
	mux.HandleFunc("POST"+at+"/disputes/{id}", onFace(s, decideDispute))
	mux.HandleFunc("POST"+at+"/rotate", onFace(s, rotate))
	mux.HandleFunc("POST"+at+"/payouts", onFace(s, payOut))
	mux.HandleFunc("POST"+at+"/moves", onFace(s, moveBalance))
	mux.HandleFunc("POST"+at+"/next", onFace(s, func(_ *http.Request, f stage.Face, n nextFaults) (any, error) {
		return n, s.NextAt(f.Name(), n.PID, n.Faults...)
	}))
	mux.HandleFunc("POST"+at+"/outage", onFace(s, func(_ *http.Request, f stage.Face, o outageOrder) (any, error) {
		return o, s.OutageAt(f.Name(), o.PID, o.Fault, time.Duration(o.Length))
	}))
}

// onFace serves a request with a JSON body about the face its path names.
func onFace[T any](s *Sandbox, act func(*http.Request, stage.Face, T) (any, error)) http.HandlerFunc {
	return answer1(func(r *http.Request, in T) (any, error) {
		f, err := s.Face(r.PathValue("face"))
		if err != nil {
			return nil, err
		}
		return act(r, f, in)
	})
}

// faceView is a mounted provider and what can be done with it.
type faceView struct {
	Name     string          `json:"name"`
	Channels []stage.Channel `json:"channels"`
	OnPaid   []Class         `json:"on_paid"`
	OnQuery  []Class         `json:"on_query"`
	OnBill   []Class         `json:"on_bill,omitempty"`
	Disputes bool            `json:"disputes"`
	Rotates  bool            `json:"rotates"`
	Banks    bool            `json:"banks"`
}

func viewOf(f stage.Face) faceView {
	_, disputes := f.(stage.Disputer)
	_, rotates := f.(stage.Rotator)
	_, banks := f.(stage.Banker)
	c := f.Classes()
	return faceView{
		Name: f.Name(), Channels: f.Channels(), Disputes: disputes, Rotates: rotates, Banks: banks,
		OnPaid:  c.List(func(n stage.Needs) bool { return !n.Query && !n.Bill }),
		OnQuery: c.List(func(n stage.Needs) bool { return n.Query }),
		OnBill:  c.List(func(n stage.Needs) bool { return n.Bill }),
	}
}

func (s *Sandbox) faceViews() []faceView {
	var all []faceView
	for _, f := range s.Faces() {
		all = append(all, viewOf(f))
	}
	return all
}

func (s *Sandbox) faceOrders(r *http.Request) (any, error) {
	f, err := s.Face(r.PathValue("face"))
	if err != nil {
		return nil, err
	}
	q := r.URL.Query()
	return f.Orders(stage.OrderFilter{
		Merchant: q.Get("pid"), OrderNo: q.Get("out_trade_no"), Limit: whole(q.Get("limit"), 100),
	}), nil
}

// disputed is the body of a dispute request; without an amount it is all.
type disputed struct {
	Amount domain.Money `json:"amount"`
}

func openDispute(r *http.Request, f stage.Face, in disputed) (any, error) {
	d, ok := f.(stage.Disputer)
	if !ok {
		return nil, domain.E(domain.KindConflict, "%s has no disputes", f.Name())
	}
	return d.Dispute(r.PathValue("id"), in.Amount)
}

// decision is the body of a request that ends a dispute.
type decision struct {
	Won bool `json:"won"`
}

func decideDispute(r *http.Request, f stage.Face, in decision) (any, error) {
	d, ok := f.(stage.Disputer)
	if !ok {
		return nil, domain.E(domain.KindConflict, "%s has no disputes", f.Name())
	}
	return d.Decide(r.PathValue("id"), in.Won)
}

// merchantName is the body of a request about one merchant.
type merchantName struct {
	PID string `json:"pid"`
}

func rotate(_ *http.Request, f stage.Face, in merchantName) (any, error) {
	r, ok := f.(stage.Rotator)
	if !ok {
		return nil, domain.E(domain.KindConflict, "%s does not change its keys", f.Name())
	}
	return in, r.Rotate(in.PID)
}
