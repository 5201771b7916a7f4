// Package witness holds the payment adapters and the sandbox against the
// official or best-kept libraries of the providers: they verify what the
// sandbox signs and sign what the adapters verify. It is a module of its own,
// so that the product does not carry those libraries.
package witness
