// Package epay is the adapter for gateways that speak Epay (易支付): V1, signed
// with MD5 and a shared key, and V2, signed with RSA. The protocol is the one
// published by the Rainbow gateway; where other gateways are known to differ,
// the function at hand says so.
//
// What the protocol leaves open and this package decides:
//
//   - The text that is signed is not escaped, so one signature can hold for two
//     messages. A rightly signed message that could be read in another way is
//     read with a doubt (domain.Doubt): kept, but not enough to move money.
//   - The channel's settings choose the algorithm, the message never does.
//   - Names are compared byte by byte, a field comes once, and a message is
//     either a query string or a form body, never both.
//
// The signing primitives are exported, because a gateway needs the same ones.
package epay
