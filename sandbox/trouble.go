package sandbox

import (
	"net/http"
	"time"
)

// takeTrouble says what goes wrong with this answer: an outage of the whole
// merchant, else the first fault left on the order. Sandbox.mu is held.
func (s *Sandbox) takeTrouble(m *merchant, o *order) Fault {
	if s.clock.wall().Before(m.outage.until) {
		return Fault{Class: m.outage.class, Delay: Duration(m.outage.delay)}
	}
	if o == nil {
		return Fault{}
	}
	for i := range o.answers {
		if o.answers[i].Copies > 0 {
			o.answers[i].Copies--
			return o.answers[i]
		}
	}
	return Fault{}
}

// troubled spoils an answer, and reports whether there is nothing more to
// answer. What spoils the content itself is left to the caller.
func (s *Sandbox) troubled(w http.ResponseWriter, r *http.Request, f Fault) bool {
	switch f.Class {
	case Query5xx:
		html(w, http.StatusBadGateway, "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n"+
			"<center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n")
		return true
	case QueryHTML:
		html(w, http.StatusOK, "<!doctype html><html><head><title>系统维护</title></head><body>系统维护中，请稍后再试 (down for maintenance)</body></html>")
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

func html(w http.ResponseWriter, status int, page string) {
	w.Header().Set("Content-Type", "text/html; charset=UTF-8")
	w.WriteHeader(status)
	w.Write([]byte(page))
}
