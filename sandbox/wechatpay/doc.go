// Package wechatpay plays WeChat Pay's side of protocols v3 and v2 with real
// keys: orders are made by its create calls, callbacks are signed and encrypted
// anew for every attempt on the real schedule, queries, refunds, certificates
// and bills answer as the provider's do. It is a face of the sandbox (package
// stage) and knows what goes wrong there; what is peculiar to WeChat Pay is
// planted here: signature probes, a change of platform certificates between two
// attempts, a refund's notice before its payment's, refunds made by hand that
// are told as v2 XML, bills that are late, changed, cut off or carry a wrong
// hash.
package wechatpay
