// Package stage is what every face of the sandbox stands on: a clock whose
// waiting times can be driven, a scheduler, a sender that travels well or
// badly, a log of all that was sent, chance that repeats, and the vocabulary of
// faults. A face plays one provider; it knows that provider's bytes, keys and
// books and nothing of timers or sockets.
//
// # Times
//
// Three clocks are kept apart. Signed timestamps are the real time (Now),
// because both sides check them against it. Dates in the books, bills and
// trade numbers are the real time plus whatever Advance added (Books). Waiting
// times of callbacks pass Speed times faster than real time (After), and
// Advance moves them too.
//
// # Chance
//
// Every choice comes from the seed and from names (Chance), never from the
// order in which requests happen to arrive: the same orders meet the same
// faults in every run.
//
// # A face
//
// A face is made with New(stage, Config), keeps its own lock, and answers the
// methods of Face. A payment's notice is one Series, started by the Lane of its
// merchant in the manner of a fault:
//
//	func (f *Face) notify(p *payment, fault stage.Fault) {
//		f.lane.Deliver(&stage.Series{
//			Of:      p.tradeNo,
//			Retries: schedule, // 0, 15s, 30s, …: when each attempt is due after the first
//			Send: func(ctx context.Context, shot stage.Shot) bool {
//				body, header := f.sign(p) // anew: the timestamp is part of what is signed
//				return f.stage.Send(ctx, stage.Delivery{
//					Face: f.Name(), Merchant: f.mchid, TradeNo: p.tradeNo, OrderNo: p.orderNo, Shot: shot,
//					Method: http.MethodPost, URL: p.notifyURL, Header: header, Body: body,
//					Timeout: 5 * time.Second, Accepts: accepted,
//				}).Accepted
//			},
//		}, fault)
//	}
//
// where accepted is the provider's rule for which answer ends the retries:
//
//	func accepted(a stage.Answer) bool { return a.Status == 200 || a.Status == 204 }
//
// Lane.Deliver handles the classes of CallbackClasses; what is peculiar to a
// provider (a probe signature, an early refund) the face does itself, with
// classes of its own. Spoil does the same for the classes of QueryClasses on
// the answers of the provider's API.
package stage
