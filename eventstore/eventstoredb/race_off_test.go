//go:build !race

package eventstoredb_test

const underRace = false
