// Package strictjson reads JSON that decides about money. encoding/json takes
// the last of two equal member names, matches names without regard to case,
// repairs bad UTF-8 and lets a Decoder ignore what follows the value: four
// ways to show one text to a signature check and another to the books. This
// package refuses all of them, in one pass and without allocating.
//
// What it accepts is RFC 8259 with the I-JSON restrictions (RFC 7493): unique
// names, valid UTF-8, no lone surrogates. It goes further in one point: names
// that are equal under simple Unicode case folding are not unique.
package strictjson

import (
	"fmt"
	"strconv"
	"strings"
	"unsafe"
)

// Limits bound one text. The zero Limits are the default ones.
type Limits struct {
	// MaxBytes is the longest text; 0 means 1 MiB.
	MaxBytes int
	// MaxDepth is how deep objects and arrays may nest; 0 means 64.
	MaxDepth int
	// ObjectOnly refuses a text whose outermost value is not an object.
	ObjectOnly bool
	// Opaque names members whose values are maps that users fill, such as
	// "metadata": inside of them names may be twins. Everything else is checked
	// there, too. Empty means none.
	Opaque string
}

const (
	defaultMaxBytes = 1 << 20
	defaultMaxDepth = 64
)

// Reason says why a text was refused.
type Reason uint8

// The reasons.
const (
	// Syntax is text outside the JSON grammar, what follows the value included.
	Syntax Reason = iota + 1
	// Duplicate is a member name that its object already has, perhaps in other
	// case or written with escapes.
	Duplicate
	// Encoding is invalid UTF-8 or half of a surrogate pair.
	Encoding
	// TooDeep is nesting beyond MaxDepth.
	TooDeep
	// TooLarge is a text beyond MaxBytes.
	TooLarge
	// NotObject is an outermost value of another type where an object must be.
	NotObject
	// Unknown is a member that the Go type does not have.
	Unknown
	// WrongCase is a member that the Go type has in other case only.
	WrongCase
	// Null is a null where the Go type has no place for one.
	Null
)

var reasons = [...]string{
	Syntax:    "not JSON",
	Duplicate: "member name used twice",
	Encoding:  "invalid UTF-8 or lone surrogate",
	TooDeep:   "nested too deep",
	TooLarge:  "too long",
	NotObject: "not an object",
	Unknown:   "unknown member",
	WrongCase: "member name in wrong case",
	Null:      "null where a value must be",
}

// String is the reason in words.
func (r Reason) String() string {
	if int(r) < len(reasons) && reasons[r] != "" {
		return reasons[r]
	}
	return "reason " + strconv.Itoa(int(r))
}

// Error says where and why a text was refused. Every error of Check and Object
// is one; Unmarshal adds those of encoding/json.
type Error struct {
	Reason Reason
	Offset int    // of the byte at which it was noticed
	Name   string // the member at fault, at most 40 bytes of it, where one is
}

// Error shows the place, never the text around it: that may hold a secret.
func (e *Error) Error() string {
	if e.Name != "" {
		return fmt.Sprintf("strictjson: %s: %s at byte %d", e.Reason, strconv.QuoteToASCII(e.Name), e.Offset)
	}
	return fmt.Sprintf("strictjson: %s at byte %d", e.Reason, e.Offset)
}

// Check reads data once and says, as an *Error, why it is not strict JSON. It
// does not allocate for objects of up to 24 members with plain names.
func Check(data []byte, limits Limits) error {
	// The scanner reads strings. It keeps none of this one when it returns,
	// so data may change afterwards.
	s := scanner{src: unsafe.String(unsafe.SliceData(data), len(data))}
	return s.run(limits)
}

// run reads the whole source.
func (s *scanner) run(limits Limits) error {
	s.opaque = limits.Opaque
	maxBytes := limits.MaxBytes
	if maxBytes == 0 {
		maxBytes = defaultMaxBytes
	}
	if s.depthLeft = limits.MaxDepth; s.depthLeft == 0 {
		s.depthLeft = defaultMaxDepth
	}
	if len(s.src) > maxBytes {
		return &Error{Reason: TooLarge, Offset: maxBytes}
	}
	s.blanks()
	if limits.ObjectOnly && s.peek() != '{' {
		return &Error{Reason: NotObject, Offset: s.pos}
	}
	if !s.value() {
		return s.failure()
	}
	s.blanks()
	if s.pos < len(s.src) {
		return &Error{Reason: Syntax, Offset: s.pos}
	}
	return nil
}

// failure is the error for what made the scanner stop.
func (s *scanner) failure() error {
	name := s.src[s.nameStart:s.nameEnd]
	return &Error{Reason: s.reason, Offset: s.pos, Name: strings.Clone(name[:min(len(name), 40)])}
}
