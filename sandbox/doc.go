// Package sandbox plays payment providers that behave as the real ones do, and
// misbehave on demand. Its root is an Epay gateway; the faces of WeChat Pay,
// Alipay and Stripe (packages below this one) are mounted beside it. All of
// them take orders, show the payer a page, keep the books of what was really
// paid, call the merchant back on the provider's retry schedule and answer
// queries, refunds and bills in its wire forms, with real keys.
//
// Whoever tests a receiver of payments plants faults here: per order, by
// seeded rates, or for a whole merchant. Truth then tells what the receiver
// has to arrive at.
//
// All faces stand on one stage, which says how the sandbox's times and its
// chance work.
//
// The package is a tool for tests and demonstrations. Its control interface has
// no login, it fetches whatever address an order names, and like the servers it
// imitates it does not check the certificate of that address: listen on a
// loopback address only.
package sandbox
