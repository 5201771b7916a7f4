// Package tamperlog keeps an RFC 6962 Merkle tree over the leaf hash of every
// event of the log, in log order, and signs its head. Whoever holds an older
// signed head can prove that nothing below it was changed, dropped, inserted or
// swapped since, and that one event is in the log, without reading it.
//
// The tree follows the log at its own pace; no callback waits for it. Its n-th
// leaf is the n-th event, whatever its position, so a log that moved to another
// store has the same tree.
//
// On the disk it is a folder:
//
//	checkpoint   the newest signed head (C2SP tlog-checkpoint)
//	key          the public key it verifies with (C2SP signed-note)
//	tile-0 …     the hash tiles of each level, one behind the other
//	index        for each leaf its position in the store and its event id
//	ids/         event ids in order, 65,536 leaves a file
//	stopped      why nothing is signed any more, when a person has to look
//	lock         held by the one process that adds leaves
//
// Everything but checkpoint, key and the private key can be made again from the
// log, and must then give the root that was signed.
package tamperlog
