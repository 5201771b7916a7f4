package reports

import (
	"counterfoil/domain"
	"counterfoil/eventstore"
)

// Proof is what ties a journal to the log it was written from. The head and the
// bills are noted while the events go by; the root is handed in.
type Proof struct {
	Position eventstore.Position // of the last event that was read
	Events   uint64
	Sealed   uint64 // events that the signed tree covers
	Root     string // hex
	Bills    []BillHash
}

// BillHash names the bytes of a bill that was compared.
type BillHash struct {
	Channel domain.ChannelID
	Day     domain.Day
	Bill    string
	Run     string
	SHA256  string
}

// note takes down what an event says about the proof; a nil Proof notes nothing.
// One that is counted already moves neither position nor count.
func (p *Proof) note(e Event, counted bool) {
	if p == nil {
		return
	}
	if !counted {
		p.Position = e.Position
		p.Events++
	}
	if c, ok := e.Fact.(domain.ReconciliationCompared); ok {
		p.Bills = append(p.Bills, BillHash{c.Channel, c.Day, c.Bill, c.Run, c.SHA256})
	}
}

// bills are those of a range's days.
func (p *Proof) bills(r Range) []BillHash {
	var out []BillHash
	for _, b := range p.Bills {
		if r.where(b.Day) == 0 {
			out = append(out, b)
		}
	}
	return out
}
