// Package stripe plays Stripe: checkout sessions and payment intents, charges,
// refunds, disputes, payouts and the balance with its transactions; events by
// webhook, signed with the secret of the account's endpoint, again and again
// for three days; and the lists by which a merchant finds what he missed. All
// of it is test mode.
//
// One order here is a payment intent, with the checkout session around it where
// it was opened by one. A payment is told by two events, of the session and of
// the intent, in an order that chance decides; each is delivered and repeated by
// itself. Every account has one endpoint, but an order opened through the
// control interface may name its own address.
//
// Events and transactions are dated by the books of the stage, signatures by
// the real time. Answers are written as Stripe writes them: indented, the newest
// object first.
package stripe
