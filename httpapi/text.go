package httpapi

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// clip shortens foreign text for logs and rows, between characters.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}

// plain is foreign text fit for a log that people read in a terminal: what
// cannot be seen, or turns the direction of writing, is replaced.
func plain(s string) string {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return strings.Map(func(r rune) rune {
				if unicode.IsPrint(r) {
					return r
				}
				return utf8.RuneError
			}, s)
		}
	}
	return s
}
