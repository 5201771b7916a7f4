package strictjson

import (
	"math/bits"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// heldNames is how many names of all open objects together are remembered
	// without allocating.
	heldNames = 64
	// searchedNames is how many names of one object are compared one by one;
	// a larger object gets a map, so that its time stays linear.
	searchedNames = 24
)

// openNames remembers the names met so far in the objects that are open, the
// outermost first. It finds twins without a map while there are few.
type openNames struct {
	held  [heldNames]heldName
	count int
}

// heldName is a name by its place in the source. Names with different sums
// are different.
type heldName struct {
	sum        uint64
	start, end int
}

// nameScope is one open object: its names in held from first on, or all of
// them, folded, in the map.
type nameScope struct {
	first int
	all   map[string]struct{}
}

func (o *openNames) open() nameScope { return nameScope{first: o.count} }

func (o *openNames) close(scope nameScope) { o.count = scope.first }

// add notes the name src[start:end] of the object, and is false if the object
// has it already.
func (o *openNames) add(scope *nameScope, src string, start, end int, plain bool) bool {
	if scope.all != nil {
		return scope.addFolded(fold(src[start:end]))
	}
	name := heldName{start: start, end: end}
	if plain {
		name.sum = sum(src, start, end)
	} else {
		folded := fold(src[start:end])
		name.sum = sum(folded, 0, len(folded))
	}
	for i := scope.first; i < o.count; i++ {
		h := &o.held[i]
		if h.sum == name.sum && fold(src[h.start:h.end]) == fold(src[start:end]) {
			return false
		}
	}
	if o.count == heldNames || o.count-scope.first == searchedNames {
		o.spill(scope, src)
		return scope.addFolded(fold(src[start:end]))
	}
	o.held[o.count] = name
	o.count++
	return true
}

// spill moves the names of the object into a map.
func (o *openNames) spill(scope *nameScope, src string) {
	scope.all = make(map[string]struct{}, 4*searchedNames)
	for _, h := range o.held[scope.first:o.count] {
		scope.all[fold(src[h.start:h.end])] = struct{}{}
	}
	o.count = scope.first
}

func (scope *nameScope) addFolded(name string) bool {
	if _, twice := scope.all[name]; twice {
		return false
	}
	scope.all[name] = struct{}{}
	return true
}

// sum is a number that names of ASCII have in common when they differ in case
// only. Others may share it too, but seldom: it sees the length and the first
// and last eight bytes.
func sum(src string, start, end int) uint64 {
	const lower = 0x20 * ones
	n := end - start
	if n >= 8 {
		first, last := load8(src[start:])|lower, load8(src[end-8:])|lower
		return (first^bits.RotateLeft64(last, 29))*0x9e3779b97f4a7c15 + uint64(n)
	}
	var w uint64
	if start+8 <= len(src) {
		w = load8(src[start:]) & (1<<(8*n) - 1)
	} else {
		for i := range n {
			w |= uint64(src[start+i]) << (8 * i)
		}
	}
	return (w|lower)*0x9e3779b97f4a7c15 + uint64(n)
}

// fold is what all spellings of a name in the source have in common.
func fold(raw string) string { return foldCase(unescape(raw)) }

// foldCase puts one character for all those that Unicode's simple folding
// holds equal, for ASCII letters the small one. U+017F is an s, U+212A is a k.
func foldCase(name string) string {
	for i := range len(name) {
		if c := name[i]; c >= utf8.RuneSelf || (c >= 'A' && c <= 'Z') {
			return strings.Map(foldRune, name)
		}
	}
	return name
}

// foldRune is the least character of r's folding orbit, in small letters.
func foldRune(r rune) rune {
	least := r
	for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
		least = min(least, next)
	}
	if least >= 'A' && least <= 'Z' {
		least += 'a' - 'A'
	}
	return least
}
