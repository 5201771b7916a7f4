// Package stripe is the adapter for Stripe: events by webhook, signed with a
// secret of the endpoint; the REST API as the query side; and balance
// transactions as the bill. It speaks the protocol by hand, because the bytes
// as they came are the evidence, and because a receiver that insists on one
// release of the API turns good payments into errors after an upgrade.
//
// What the protocol leaves open and this package decides:
//
//   - The time in a signature is compared with the time of arrival to both
//     sides, five minutes at most. Kept evidence is compared with the time at
//     which it arrived, so it verifies for ever.
//   - A message is read as loosely as Stripe changes it (unknown members, types
//     and words are noted) and as strictly as money needs: no name twice, plain
//     integers, known currencies, our own account and mode.
//   - What an event says is taken from its object, which is the truth of that
//     moment, and not from the event's name: events come late, twice and in any
//     order.
//   - The trade number is the payment intent, or the charge where there is none.
//     The order number is client_reference_id, else metadata[order_no]. Refunds
//     and disputes name no order.
//   - charge.refunded adds all refunds up and names none: it is a hint with a
//     doubt. Single refunds come by the events of refunds.
package stripe
