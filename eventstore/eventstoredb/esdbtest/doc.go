// Package esdbtest is a server that speaks EventStoreDB's gRPC protocol over a
// log in memory, so that the adapter can be tested against every fault at the
// moment a test wants it. It is a test's tool, never a store to offer: nothing
// it keeps outlives its process.
//
// Played are ServerFeatures, Gossip and Streams (Append, Read, subscriptions,
// Delete, Tombstone) as EventStoreDB 24.6 answers them: the strong and the weak
// idempotence rules, wrong expected versions as ordinary replies, tombstones
// and soft deletes, append size limits, filters with checkpoints, positions
// that are byte offsets, and system events among the rest. Not played:
// BatchAppend, persistent subscriptions, projections, $maxAge and $maxCount
// (their metadata is kept, nothing is ever scavenged).
package esdbtest
