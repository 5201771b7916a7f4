// Package wechatpay is the adapter for WeChat Pay (微信支付), protocol v3 (JSON,
// signed with RSA, encrypted with AES-GCM) and v2 (XML, signed with a shared
// key). The protocol is the one of pay.weixin.qq.com/doc/v3 and /doc/v2; where
// its pages say less than what is seen on the wire, the function at hand says
// so.
//
// What the protocol leaves open and this package decides:
//
//   - A v3 signature covers its own time. The time is held against the clock
//     when a callback arrives and never again, so kept evidence verifies for
//     ever.
//   - A refund made by hand in the merchant platform reaches v3 merchants as v2
//     XML, which is encrypted but not signed. It is read with a doubt
//     (domain.DoubtUnsigned): kept, but the refund query has to confirm it.
//   - The channel's settings choose the algorithm, the message never does.
//   - What decides about money is read by strict readers: a name twice, a name
//     in another case, trailing bytes, entities of our own making are refused.
//
// The signing and encrypting primitives are exported, because a provider's
// side needs the same ones.
package wechatpay
