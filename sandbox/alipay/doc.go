// Package alipay plays the open platform of Alipay with real keys: page and wap
// orders arrive signed, notices go out signed on the real schedule, and the
// gateway answers queries, refunds, refund queries, closes and bills as
// Alipay's does. It is a face of the sandbox (package stage) and knows what goes
// wrong there; what is peculiar to Alipay is planted here: TRADE_FINISHED after
// TRADE_SUCCESS, empty values that some sign and some do not, a GBK notice,
// goods names full of signs, a sign_type that was tampered with, a refund told
// before its payment, an address of a bill that is dead on arrival, answers
// that are 20000 or come as an unsigned error_response.
package alipay
