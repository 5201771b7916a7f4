package stage

import (
	"sync"
	"time"
)

// Attempt is one message that the sandbox sent to a merchant.
type Attempt struct {
	ID       uint64    `json:"id"`           // 1, 2, 3 … as they ended
	At       time.Time `json:"at"`           // real time it began
	Face     string    `json:"face"`         //
	Merchant string    `json:"pid"`          // the account at the provider
	TradeNo  string    `json:"trade_no"`     // the provider's number of what it is about
	OrderNo  string    `json:"out_trade_no"` // the merchant's
	Kind     string    `json:"kind"`         // callback, or the class (and variant) of the fault that sent it
	Genuine  bool      `json:"genuine"`      // the provider itself says so, and it is true
	Try      int       `json:"try,omitempty"`
	Method   string    `json:"method"`
	URL      string    `json:"url"`            // with the query, sign and all
	Form     string    `json:"form,omitempty"` // body of a POST
	Status   int       `json:"status"`         // of the answer; 0 when there was none
	Body     string    `json:"body"`           // of the answer, cut
	Error    string    `json:"error,omitempty"`
	Took     Duration  `json:"took"`
	Accepted bool      `json:"accepted"` // the answer counts as delivered, by the provider's rule
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

func (l *attemptLog) count() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.n
}

// AttemptFilter chooses attempts. Empty fields choose all.
type AttemptFilter struct {
	Face     string
	Merchant string
	TradeNo  string
	OrderNo  string
	Kind     string
	Limit    int // the newest so many; 0 means all that are remembered
}

func (f AttemptFilter) fits(a Attempt) bool {
	return (f.Face == "" || f.Face == a.Face) && (f.Merchant == "" || f.Merchant == a.Merchant) &&
		(f.TradeNo == "" || f.TradeNo == a.TradeNo) && (f.OrderNo == "" || f.OrderNo == a.OrderNo) &&
		(f.Kind == "" || f.Kind == a.Kind)
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
