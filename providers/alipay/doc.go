// Package alipay is the adapter for Alipay's open platform (mainland), as its
// pages publish it: asynchronous notices signed with RSA2 (SHA256withRSA), the
// gateway's queries, and the daily bills.
//
// What the protocol leaves open and this package decides:
//
//   - Every notice tells the whole state of a trade. One that proves a payment
//     yields the payment's notice first; where it tells of refunds too, their
//     sum follows as a second notice. So a refund that overtakes its payment
//     brings the payment with it.
//   - TRADE_SUCCESS and TRADE_FINISHED are one payment: the same trade_no.
//     TRADE_CLOSED is by its definition either a trade that nobody paid or one
//     that was refunded in full; gmt_payment and refund_fee tell them apart.
//   - refund_fee is the sum of all refunds, so the notice is marked as a total.
//   - Libraries disagree whether an empty value is signed. A message holds when
//     either text verifies, and an empty value never means anything.
//   - The signed text does not escape its values. A message that could be cut
//     in another way, or that has fields which the pages do not name, is read
//     with a doubt: kept, but a query has to confirm it.
//   - The channel's settings choose the algorithm, the message never does.
//
// The signing primitives are exported, because a gateway needs the same ones.
package alipay
