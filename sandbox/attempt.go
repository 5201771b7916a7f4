package sandbox

import (
	"sync"
	"time"
)

// Attempt is one message that the sandbox sent to a merchant.
type Attempt struct {
	ID         uint64    `json:"id"` // 1, 2, 3 … as they ended
	At         time.Time `json:"at"` // real time it began
	PID        string    `json:"pid"`
	TradeNo    string    `json:"trade_no"`     // the order it is about
	OutTradeNo string    `json:"out_trade_no"` //
	Kind       string    `json:"kind"`         // callback, or the class (and variant) of the fault that sent it
	Genuine    bool      `json:"genuine"`      // the gateway itself says so, and money is behind it
	Try        int       `json:"try,omitempty"`
	Method     string    `json:"method"`
	URL        string    `json:"url"`            // with the query, sign and all
	Form       string    `json:"form,omitempty"` // body of a POST
	Status     int       `json:"status"`         // of the answer; 0 when there was none
	Body       string    `json:"body"`           // of the answer, cut
	Error      string    `json:"error,omitempty"`
	Took       Duration  `json:"took"`
	Accepted   bool      `json:"accepted"` // the answer counts as delivered, by the rule of the merchant's style
}

// attemptLog remembers the last attempts in a ring.
type attemptLog struct {
	mu   sync.Mutex
	ring []Attempt
	most int
	n    uint64 // attempts ever
}

func newAttemptLog(most int) *attemptLog { return &attemptLog{most: most} }

func (l *attemptLog) add(a Attempt) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a.ID = l.n + 1
	if len(l.ring) < l.most {
		l.ring = append(l.ring, a)
	} else {
		l.ring[l.n%uint64(l.most)] = a
	}
	l.n++
}

// AttemptFilter chooses attempts. Empty fields choose all.
type AttemptFilter struct {
	PID        string
	TradeNo    string
	OutTradeNo string
	Kind       string
	Limit      int // the newest so many; 0 means all that are remembered
}

func (f AttemptFilter) fits(a Attempt) bool {
	return (f.PID == "" || f.PID == a.PID) && (f.TradeNo == "" || f.TradeNo == a.TradeNo) &&
		(f.OutTradeNo == "" || f.OutTradeNo == a.OutTradeNo) && (f.Kind == "" || f.Kind == a.Kind)
}

// newest lists attempts, the newest first.
func (l *attemptLog) newest(f AttemptFilter) []Attempt {
	l.mu.Lock()
	defer l.mu.Unlock()
	found := []Attempt{}
	for i := range uint64(len(l.ring)) {
		a := l.ring[(l.n-1-i)%uint64(l.most)]
		if !f.fits(a) {
			continue
		}
		found = append(found, a)
		if len(found) == f.Limit {
			break
		}
	}
	return found
}

// Attempts lists what was sent, the newest first.
func (s *Sandbox) Attempts(f AttemptFilter) []Attempt { return s.log.newest(f) }

// AttemptCount is how many attempts were made, also those no longer
// remembered.
func (s *Sandbox) AttemptCount() uint64 {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	return s.log.n
}
