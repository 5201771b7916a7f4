package domain

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"
)

// Hold is next as far as it may be in force behind old at once: what loosens
// the channel's policy stays as it was, and is named in words. With nothing
// named it is next as it is. Loosening is whatever lets more money move, or on
// less: confirmation by fewer queries, higher limits or none, wider tolerances,
// a new field that names accounts, other currencies, another bearer of lost
// disputes, the last pinned key of a provider gone.
//
// Where its messages are sent and which keys verify them is not held back: a
// provider that rolls its key must not lose callbacks. Those changes are told by
// Differences.
func Hold(old, next ChannelConfigured) (inForce ChannelConfigured, loosened []string) {
	h := holder{old: old, now: next}
	h.confirm()
	h.limits()
	h.accounts()
	h.currencies()
	h.bearer()
	h.pins()
	h.tolerance()
	return h.now, h.words
}

// Loosened names what next loosens, in words; nil for nothing.
func Loosened(old, next ChannelConfigured) []string {
	_, words := Hold(old, next)
	return words
}

// holder puts old values back where new ones are looser.
type holder struct {
	old, now ChannelConfigured
	words    []string
}

func (h *holder) say(name, is, was string) { h.words = append(h.words, difference(name, is, was)) }

func difference(name, is, was string) string {
	none := func(s string) string {
		if s == "" {
			return "none"
		}
		return s
	}
	return name + ": " + none(is) + ", was " + none(was)
}

func (h *holder) confirm() {
	if !looserConfirm(h.old, h.now) {
		return
	}
	h.say("confirm_by_query", confirmText(h.now), confirmText(h.old))
	h.now.Confirm, h.now.ConfirmAbove = h.old.Confirm, h.old.ConfirmAbove
}

// looserConfirm: always asks of all money, above of some, never of none.
func looserConfirm(old, next ChannelConfigured) bool {
	rank := func(m ConfirmMode) int {
		return slices.Index([]ConfirmMode{ConfirmAlways, ConfirmAbove, ConfirmNever}, m)
	}
	a, b := max(0, rank(old.Confirm)), max(0, rank(next.Confirm)) // an unknown mode asks always
	if a != b {
		return b > a
	}
	return next.Confirm == ConfirmAbove && higher(old.ConfirmAbove, next.ConfirmAbove)
}

func confirmText(c ChannelConfigured) string {
	if c.Confirm == ConfirmAbove {
		return string(c.Confirm) + " " + c.ConfirmAbove.String()
	}
	return string(c.Confirm)
}

// higher reports whether next bounds less than old: more, or not the same
// money.
func higher(old, next Money) bool {
	cmp, err := next.Cmp(old)
	return err != nil || cmp > 0
}

func (h *holder) limits() {
	var none CorrectionPolicy
	was, is := &none, none
	if h.old.Corrections != nil {
		was = h.old.Corrections
	}
	if h.now.Corrections != nil {
		is = *h.now.Corrections
	}
	held := false
	for _, l := range []struct {
		name    string
		old     Money
		current *Money
	}{
		{"correction_limit", was.Item, &is.Item},
		{"correction_limit_person", was.PersonDay, &is.PersonDay},
		{"correction_limit_account", was.AccountDay, &is.AccountDay},
	} {
		if looserLimit(l.old, *l.current) {
			h.say(l.name, moneyText(*l.current), moneyText(l.old))
			*l.current, held = l.old, true
		}
	}
	if held {
		h.now.Corrections = &is
	}
}

// looserLimit: no limit is the loosest.
func looserLimit(old, next Money) bool {
	return old.Currency() != "" && (next.Currency() == "" || higher(old, next))
}

func moneyText(m Money) string {
	if m.Currency() == "" {
		return ""
	}
	return m.String()
}

// accounts: a field that names accounts credits orders that nobody placed. While
// another one waits, none does: what the old one said is not in the notices any
// more.
func (h *holder) accounts() {
	if h.now.AccountFrom == "" || h.now.AccountFrom == h.old.AccountFrom {
		return
	}
	h.say("account_from", h.now.AccountFrom, h.old.AccountFrom)
	h.now.AccountFrom = ""
}

func (h *holder) currencies() {
	var more []string
	var kept []Currency
	for _, c := range append([]Currency{h.now.Currency}, h.now.Currencies...) {
		switch {
		case slices.Contains(kept, c) || slices.Contains(more, string(c)):
		case h.old.Takes(c):
			kept = append(kept, c)
		default:
			more = append(more, string(c))
		}
	}
	if len(more) == 0 {
		return
	}
	h.say("currencies", strings.Join(more, ", ")+" too", currencyText(h.old))
	if !h.old.Takes(h.now.Currency) {
		h.now.Currency = h.old.Currency
	}
	if h.now.Currencies = kept; !slices.Contains(kept, h.now.Currency) {
		h.now.Currencies = append(kept, h.now.Currency)
	}
}

func currencyText(c ChannelConfigured) string {
	if len(c.Currencies) == 0 {
		return string(c.Currency)
	}
	var names []string
	for _, one := range c.Currencies {
		names = append(names, string(one))
	}
	return strings.Join(names, ", ")
}

// bearer: neither way of bearing lost disputes is the tighter one; each takes
// money from somebody who was not asked.
func (h *holder) bearer() {
	name := func(s string) string {
		if s == "" {
			return lostByWallet
		}
		return s
	}
	if name(h.old.DisputeLost) == name(h.now.DisputeLost) {
		return
	}
	h.say("dispute_lost", name(h.now.DisputeLost), name(h.old.DisputeLost))
	h.now.DisputeLost = h.old.DisputeLost
}

// pins: a channel whose file pins the provider's keys may not begin to believe
// whichever key the provider names.
func (h *holder) pins() {
	if len(pinned(h.old)) == 0 || len(pinned(h.now)) > 0 {
		return
	}
	h.say("pinned keys", "", strings.Join(pinned(h.old), ", "))
	keys := slices.Clone(h.now.PublicKeys)
	for _, k := range h.old.PublicKeys {
		same := func(o PublicKey) bool { return o.Fingerprint == k.Fingerprint && o.Use == k.Use }
		if !isPin(k) {
			continue
		}
		if i := slices.IndexFunc(keys, same); i >= 0 {
			keys[i] = k
		} else {
			keys = append(keys, k)
		}
	}
	h.now.PublicKeys = keys
}

// isPin reports a key of the provider that the operator put into the file.
func isPin(k PublicKey) bool { return k.Use != "merchant" && strings.HasPrefix(k.Obtained, "config") }

func pinned(c ChannelConfigured) []string {
	var out []string
	for _, k := range c.PublicKeys {
		if isPin(k) {
			out = append(out, k.Fingerprint)
		}
	}
	return out
}

// PolicyHash names settings: hex SHA-256 over their stored form without
// revision. Equal settings have equal hashes, whoever was configured with them.
func PolicyHash(c ChannelConfigured) (string, error) {
	c.Revision = 0
	_, data, err := EncodeFact(c)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:]), nil
}

// Differences tells in words what next changes; secrets only by the fingerprints
// that stand in the settings.
func Differences(old, next ChannelConfigured) []string {
	a, b := settingsText(old), settingsText(next)
	var out []string
	for _, name := range slices.Sorted(maps.Keys(b)) {
		if a[name] != b[name] {
			out = append(out, difference(name, b[name], a[name]))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(a)) {
		if _, ok := b[name]; !ok {
			out = append(out, difference(name, "", a[name]))
		}
	}
	return out
}

// settingsText is every setting by name, as text.
func settingsText(c ChannelConfigured) map[string]string {
	out := map[string]string{
		"provider": c.Provider, "protocol": c.Protocol, "zone": c.Zone, "gateway": c.Gateway, "funds": c.Funds,
		"test": fmt.Sprint(c.Test), "confirm_by_query": confirmText(c), "account_from": c.AccountFrom, "dispute_lost": c.DisputeLost,
		"currency": string(c.Currency), "currencies": currencyText(c),
	}
	for name, value := range c.Merchant {
		out["merchant "+name] = value
	}
	for _, k := range c.PublicKeys {
		out[k.Use+" key "+k.Fingerprint] = "obtained: " + k.Obtained
	}
	for _, s := range c.Secrets {
		out[s.Use+" secret "+s.Fingerprint] = "in use"
	}
	if l := c.Corrections; l != nil {
		out["correction_limit"], out["correction_limit_person"] = moneyText(l.Item), moneyText(l.PersonDay)
		out["correction_limit_account"] = moneyText(l.AccountDay)
	}
	if t := c.Tolerance; t != nil {
		maps.Copy(out, t.text())
	}
	return out
}

// looserRate reports whether decimal text next is above old, or no number while
// old is one. Empty text does not look, which is the loosest.
func looserRate(old, next string) bool {
	a, ok := new(big.Rat).SetString(old)
	if !ok {
		return false
	}
	b, ok := new(big.Rat).SetString(next)
	return !ok || b.Cmp(a) > 0
}
