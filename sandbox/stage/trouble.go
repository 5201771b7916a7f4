package stage

import (
	"net/http"
	"sync"
	"time"

	"counterfoil/domain"
)

// Troubles are what goes wrong with a face's answers: so many answers about one
// order, or all of a merchant's for a while. The zero Troubles is ready.
type Troubles struct {
	mu      sync.Mutex
	orders  map[[2]string][]Fault // by merchant and trade number
	outages map[string]outage     // by merchant
	bills   map[string]outage
}

type outage struct {
	fault Fault
	until time.Time // real time
}

// Plant lets the next answers about an order go wrong, Copies of them. The
// fault is complete.
func (t *Troubles) Plant(merchant, id string, f Fault) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.orders == nil {
		t.orders = map[[2]string][]Fault{}
	}
	key := [2]string{merchant, id}
	t.orders[key] = append(t.orders[key], f)
}

// Outage lets all answers to a merchant go wrong until an instant of real time;
// a class that acts on bills touches those alone. KindInvalid for a class that
// acts on neither.
func (t *Troubles) Outage(classes Classes, merchant string, f Fault, until time.Time) error {
	f, err := classes.Complete(f)
	if err != nil {
		return err
	}
	n := classes[f.Class]
	if !n.Query && !n.Bill {
		return domain.EField(domain.KindInvalid, "class", "an outage is one of answers or bills, not %q", f.Class)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.outages == nil {
		t.outages, t.bills = map[string]outage{}, map[string]outage{}
	}
	if n.Bill {
		t.bills[merchant] = outage{f, until}
		return nil
	}
	t.outages[merchant] = outage{f, until}
	return nil
}

// Take is what goes wrong with this answer, the zero Fault for nothing: an
// outage of the whole merchant, else the first fault left on the order. An
// empty id is an answer about no order in particular.
func (t *Troubles) Take(merchant, id string, now time.Time) Fault {
	t.mu.Lock()
	defer t.mu.Unlock()
	if o := t.outages[merchant]; now.Before(o.until) {
		return o.fault
	}
	left := t.orders[[2]string{merchant, id}]
	for i := range left {
		if left[i].Copies > 0 {
			left[i].Copies--
			return left[i]
		}
	}
	return Fault{}
}

// Bill is what goes wrong with a merchant's bills at this moment.
func (t *Troubles) Bill(merchant string, now time.Time) Fault {
	t.mu.Lock()
	defer t.mu.Unlock()
	if o := t.bills[merchant]; now.Before(o.until) {
		return o.fault
	}
	return Fault{}
}

// Spoil spoils an answer, and reports whether there is nothing more to answer.
// QuerySlow only waits; what spoils the content itself is left to the caller.
// It panics with http.ErrAbortHandler for QueryClosed, as net/http wants it.
func Spoil(w http.ResponseWriter, r *http.Request, f Fault) (done bool) {
	switch f.Class {
	case Query5xx:
		page(w, http.StatusBadGateway, "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n"+
			"<center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n")
		return true
	case QueryHTML:
		page(w, http.StatusOK, "<!doctype html><html><head><title>系统维护</title></head><body>系统维护中，请稍后再试 (down for maintenance)</body></html>")
		return true
	case QueryClosed:
		breakOff(w)
		panic(http.ErrAbortHandler)
	case QuerySlow:
		timer := time.NewTimer(time.Duration(f.Delay))
		defer timer.Stop()
		select {
		case <-timer.C:
			return false
		case <-r.Context().Done():
			return true
		}
	default:
		return false
	}
}

// breakOff writes half an answer; the handler then aborts, which closes the
// connection. Without the half, clients ask again by themselves on another one.
func breakOff(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.Header().Set("Content-Length", "500")
	w.Write([]byte(`{"code":1,"msg":`))
	_ = http.NewResponseController(w).Flush() // fails for a client that has gone: it needs no more
}

func page(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/html; charset=UTF-8")
	w.WriteHeader(status)
	w.Write([]byte(text))
}
