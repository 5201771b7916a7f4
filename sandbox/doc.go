// Package sandbox is an Epay gateway that behaves as the real ones do, and
// misbehaves on demand. It is the provider's side of the public protocol: it
// takes signed orders, shows the payer a page, keeps the books of what was
// really paid, calls the merchant back on the usual retry schedule and answers
// queries, refunds and lists in the wire forms of the common servers.
//
// Whoever tests a receiver of payments plants faults here: per order, by
// seeded rates, or for the whole gateway. Books then tells the truth that the
// receiver has to arrive at.
//
// # Times
//
// Three clocks are kept apart. Signed timestamps are the real time, because
// both sides check them against it. Dates in the books (trade numbers, addtime,
// endtime, the ten days after which an order number is free again) are the real
// time plus whatever Advance added. Waiting times of callbacks pass Speed times
// faster than real time, and Advance moves them too.
//
// # Chance
//
// Every choice comes from Config.Seed and the order's own name, never from
// the order in which requests happen to arrive: the same orders meet the same
// faults in every run.
//
// The package is a tool for tests and demonstrations. Its control interface has
// no login, it fetches whatever address a signed order names, and like the
// servers it imitates it does not check the certificate of that address: listen
// on a loopback address only.
package sandbox
