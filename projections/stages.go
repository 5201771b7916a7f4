package projections

import (
	"time"

	"counterfoil/domain"
)

// Stages are the dates of a payment's way through the books. When its money
// stood on the provider's bill, and when it was settled, is known by the
// comparisons of its day.
type Stages struct {
	NotifiedAt time.Time  // its first callback; zero where only our questions told of it
	CreditedAt time.Time  // its account was credited
	BookedOn   domain.Day // the value date of its first money: the bill that must have it
}

// apply takes over what f says; recorded is when f was.
func (s *Stages) apply(f domain.Fact, recorded time.Time) {
	switch f := f.(type) {
	case domain.PaymentNotified:
		if s.NotifiedAt.IsZero() && f.Source == domain.SourceCallback {
			s.NotifiedAt = domain.Instant(f.ReceivedAt)
		}
	case domain.PaymentCredited:
		s.credit(recorded)
		s.book(f.Dates)
	case domain.PaymentAllocated:
		s.credit(recorded)
	case domain.PaymentParked:
		if f.Confirmed {
			s.book(f.Dates)
		}
	default: // no stage
	}
}

func (s *Stages) credit(at time.Time) {
	if s.CreditedAt.IsZero() {
		s.CreditedAt = at
	}
}

func (s *Stages) book(d domain.Dates) {
	if s.BookedOn == "" {
		s.BookedOn = domain.Day(d.ValueDate)
	}
}
