package ledger

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"counterfoil/domain"
)

// Notify takes a verified notice with its evidence into the books and says
// what it came to. reply is the answer intended for each outcome, nil for
// queries. When it returns without an error the notice is kept and may be
// answered with success (R1, R8); on any error the answer is failure.
func (l *Ledger) Notify(
	ctx context.Context, n domain.Notice, e domain.Evidence, reply func(domain.Outcome) domain.Reply,
) (Result, error) {
	plain, err := e.Encode()
	if err != nil {
		return Result{}, fmt.Errorf("encode evidence of %s: %w", n.Delivery, err)
	}
	sum := sha256.Sum256(plain)
	ref := domain.EvidenceRef{
		SHA256: hex.EncodeToString(sum[:]), Size: len(plain), Grade: e.Grade, Scheme: e.Scheme, Key: e.Key,
	}
	s := domain.PaymentStreamRaw(n.Channel, n.OrderNo)
	return l.change(ctx, n.Channel, s, byNotice(n), func(f *folded, c domain.Context) (domain.Verdict, []byte, error) {
		v := f.payment.Notify(c, n, ref, reply, f.repeats+1)
		if len(v.Facts) == 0 && n.Source == domain.SourceCallback {
			f.repeats++
		}
		return v, plain, nil
	})
}

func byNotice(n domain.Notice) By {
	if n.Source == domain.SourceQuery {
		return By{Actor: "reconciler", Cause: n.Run}
	}
	return By{Actor: "channel:" + string(n.Channel), Cause: n.Delivery.String()}
}
