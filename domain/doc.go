// Package domain holds what Counterfoil knows about money without touching the
// world: facts and their stored form, the Payment aggregate and its rules,
// Money, Notice, Evidence, Outcome, and the error kinds every port speaks.
//
// Nothing here reads a clock, a file or a socket. Commands are methods that
// return facts; folds are methods that return the next state and cannot fail.
// The rules are numbered R1 to R10 and tests name the number:
//
//	R1  before success is answered, a verified callback is kept
//	R2  an order is credited at most once; money under one trade_no at most once
//	R3  never another amount, currency or account than the placed one
//	R4  nothing is edited or deleted: corrections add, and name what they correct
//	R5  every event's postings sum to zero per currency
//	R6  the balance at a position is a pure fold of the log up to it
//	R7  automatic correction may only give, on positive evidence
//	R8  success is answered only for what is durable
//	R9  stored bytes never change
//	R10 every limit is set, and reaching one is answered clearly
package domain
