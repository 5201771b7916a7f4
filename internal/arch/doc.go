// Package arch keeps the layers of Counterfoil: it reads the imports of every
// package in the module from its source and compares them with one table.
//
// What it refuses:
//
//   - a package without a row, or without a package comment
//   - an import of another package of ours that the row does not name
//   - a foreign library that the table does not know, or outside its owners
//   - standard packages that touch the world in a pure package
//   - the name eventstore.Appender, through which events enter a store,
//     outside the few packages that may append
//   - cgo and dot imports
//
// The source is read with go/parser and never with "go list": the go tool sees
// which files a test opens, so its cached "ok" ends with the next change of an
// import. It cannot see what a child process reads.
package arch
