package audit

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/ledger"
	"counterfoil/providers"
	"counterfoil/tamperlog"
)

// Claim is one thing a bundle says of itself, and whether it holds.
type Claim struct {
	Name string `json:"claim"`
	OK   bool   `json:"ok"`
	Text string `json:"text"`
}

// The claims of a bundle, in the order in which they are checked: each rests on
// those before it, so the first that fails ends the check.
const (
	ClaimContainer  = "container"  // a zip file of the files a bundle may have
	ClaimManifest   = "manifest"   // a table of contents of a version known here
	ClaimFiles      = "files"      // every file is the one that the manifest names
	ClaimCheckpoint = "checkpoint" // a head of this ledger's log, signed with the log's key
	ClaimInclusion  = "inclusion"  // every event is in the log, at its place
	ClaimStreams    = "streams"    // payments from their first event on, without a gap, and nothing foreign
	ClaimKeys       = "keys"       // the providers' public keys are those of the settings
	ClaimEvidence   = "evidence"   // sealed parts are those of their events
	ClaimDecisions  = "decisions"  // the rules lead from the evidence to these facts and postings
)

// BundleReport is the verdict over a bundle.
type BundleReport struct {
	Subject Subject  `json:"subject"`
	Ledger  string   `json:"ledger"`
	Size    uint64   `json:"size"` // events under the checkpoint
	Root    string   `json:"root"`
	Keys    []string `json:"keys"`    // that signed the checkpoint
	Own     bool     `json:"own_key"` // the log's key came out of the bundle itself: it proves nothing about whose log it is
	Claims  []Claim  `json:"claims"`  //
	Report  Report   `json:"report"`  // of the events, once they are known to be the log's
	// Summary tells of summary.html, which proves nothing and is read all the same.
	Summary SummaryVerdict `json:"summary"`
}

// SummaryVerdict is what is known of a bundle's page for people.
type SummaryVerdict string

// What a summary can be.
const (
	SummaryUnread SummaryVerdict = ""          // not compared
	SummarySame   SummaryVerdict = "confirmed" // the page that follows from the events
	SummaryOther  SummaryVerdict = "differs"   // changed, or made by a program with another page
)

// OK reports whether every claim holds.
func (r BundleReport) OK() bool {
	return len(r.Claims) > 0 && !slices.ContainsFunc(r.Claims, func(c Claim) bool { return !c.OK })
}

// Complete reports whether all that strangers can prove was proven: no evidence
// is missing, none of grade A could not be verified, and the page for people is
// not known to be another than theirs. What a shared secret
// or nothing at all bears out is told by its grade; personal fields stay sealed
// by rule.
func (r BundleReport) Complete() bool {
	return r.Report.Evidence.Erased == 0 && len(r.Report.Evidence.Unverifiable) == 0 && r.Summary != SummaryOther
}

// BundleCheck says with what a bundle is verified.
type BundleCheck struct {
	Keys []string // the log's public key and those of witnesses; none: the bundle's own
	// Brought are heads kept by the auditor, of the same size as the bundle's.
	Brought []Brought
	// Describe puts a fact into the words of the summary, to make that again; nil
	// to leave it.
	Describe func(domain.Fact) string
	// Channels makes channels that can verify evidence again from settings as
	// they were recorded, with public keys and the secrets that the bundle holds.
	Channels func([]domain.ChannelConfigured, Secrets) map[domain.ChannelID]providers.Channel
}

// Secrets are keys by which a channel's signed messages are read, never such as
// sign: the APIv3 keys of WeChat Pay.
type Secrets map[domain.ChannelID][]string

// VerifyBundle checks a bundle on a machine that has nothing else. A bundle
// that does not hold is no error: the report says which claim fails.
func VerifyBundle(ctx context.Context, r io.ReaderAt, size int64, c BundleCheck) (BundleReport, error) {
	v := &bundleCheck{BundleCheck: c}
	v.rep.Claims = []Claim{}
	steps := []struct {
		name string
		do   func() (string, error)
	}{
		{ClaimContainer, func() (text string, err error) {
			if v.b, err = openContainer(r, size); err == nil {
				text = fmt.Sprintf("%d files", len(v.b.files))
			}
			return text, err
		}},
		{ClaimManifest, v.manifest},
		{ClaimFiles, func() (string, error) { return "all as the manifest names them", v.b.checkFiles() }},
		{ClaimCheckpoint, v.checkpoint},
		{ClaimInclusion, v.inclusion},
		{ClaimStreams, v.streams},
		{ClaimKeys, func() (string, error) {
			n, err := v.b.publicKeys()
			return fmt.Sprintf("%d public keys of providers are those of the settings", n), err
		}},
		{ClaimEvidence, v.evidence},
		{ClaimDecisions, func() (string, error) { return v.decisions(ctx) }},
	}
	for _, s := range steps {
		text, err := s.do()
		if err != nil {
			if ctx.Err() != nil {
				return v.rep, domain.E(domain.KindUnavailable, "verify the bundle: %w", ctx.Err())
			}
			v.rep.Claims = append(v.rep.Claims, Claim{s.name, false, err.Error()})
			break
		}
		v.rep.Claims = append(v.rep.Claims, Claim{s.name, true, text})
	}
	if v.rep.OK() {
		v.rep.Summary = v.summary()
	}
	return v.rep, nil
}

// summary makes the page for people again, from what was proven.
func (v *bundleCheck) summary() SummaryVerdict {
	if v.Describe == nil {
		return SummaryUnread
	}
	have, err := v.b.read(summaryName, maxSummary)
	if err != nil {
		return SummaryOther
	}
	key, err := v.b.read(logKeyName, 1024)
	if err != nil {
		return SummaryOther
	}
	want, err := summarized{v.b.manifest, v.head, strings.TrimSpace(string(key)), v.b.events, v.Describe}.page()
	if err != nil || !bytes.Equal(want, have) {
		return SummaryOther
	}
	return SummarySame
}

type bundleCheck struct {
	BundleCheck
	b    *bundleReader
	rep  BundleReport
	head tamperlog.Signed
	id   domain.ID
}

func (v *bundleCheck) manifest() (string, error) {
	if err := v.b.readManifest(); err != nil {
		return "", err
	}
	m := v.b.manifest
	v.rep.Subject, v.rep.Ledger = m.Subject, m.Ledger
	var err error
	if v.id, err = domain.ParseID(m.Ledger); err != nil {
		return "", err
	}
	if !slices.Contains([]string{SubjectPayment, SubjectAccount, SubjectPeriod}, m.Subject.Kind) {
		return "", domain.E(domain.KindInvalid, "a bundle about a %.60q is not known here", m.Subject.Kind)
	}
	return fmt.Sprintf("%s of ledger %s (%s)", m.Format, m.Ledger, m.Mode), nil
}

func (v *bundleCheck) checkpoint() (string, error) {
	msg, err := v.b.read(headName, tamperlog.MaxCheckpoint)
	if err != nil {
		return "", err
	}
	shown, err := v.b.read(logKeyName, 1024)
	if err != nil {
		return "", err
	}
	keys := v.Keys
	if v.rep.Own = len(keys) == 0; v.rep.Own {
		keys = []string{string(shown)}
	}
	if v.head, err = tamperlog.OpenCheckpoint(msg, keys...); err != nil {
		return "", err
	}
	if _, err := tamperlog.OpenCheckpoint(msg, string(shown)); err != nil {
		return "", domain.E(domain.KindForged, "%s is not the key that signed it: %w", logKeyName, err)
	}
	v.rep.Size, v.rep.Root, v.rep.Keys = v.head.Size, v.head.Hex(), v.head.Keys
	m := v.b.manifest.Checkpoint
	switch {
	case v.head.Origin != tamperlog.Origin(v.id):
		return "", domain.E(domain.KindForged, "it is a checkpoint of log %s, the bundle is of ledger %s", v.head.Origin, v.id)
	case m.Size != v.head.Size || m.Root != v.head.Hex():
		return "", domain.E(domain.KindForged, "it covers %d events with root %s, the manifest says %d and %.64s", v.head.Size, v.head.Hex(), m.Size, m.Root)
	}
	for _, b := range v.Brought {
		if b.Checkpoint != v.head.Checkpoint {
			return "", domain.E(domain.KindForged, "it is not the checkpoint that you bring (%s: log %s, %d events, root %s); another size of the "+
				"same log is tied to it by `counterfoil tree prove --from`", b.Whose, b.Origin, b.Size, b.Hex())
		}
	}
	return fmt.Sprintf("%d events, root %s, signed by %v", v.head.Size, v.head.Hex(), v.head.Keys), nil
}

func (v *bundleCheck) inclusion() (string, error) {
	if err := v.b.readEvents(); err != nil {
		return "", err
	}
	for _, e := range v.b.events {
		if err := tamperlog.CheckInclusion(v.head.Checkpoint, e.index, preimageOf(e.Recorded).leaf(), e.path); err != nil {
			return "", domain.E(domain.KindForged, "event %d (%.100s) is not in the log: %w", e.index, e.Type, err)
		}
	}
	if len(v.b.events) == 0 || v.b.events[0].index != 0 || v.b.events[0].Type != domain.TypeLedgerOpened {
		return "", domain.E(domain.KindForged, "the opening of the ledger, event 0, is missing")
	}
	return fmt.Sprintf("%d events are in the log", len(v.b.events)), nil
}

func (v *bundleCheck) streams() (string, error) {
	if err := v.b.decode(); err != nil {
		return "", err
	}
	opened, ok := v.b.events[0].entry.Fact.(domain.LedgerOpened)
	if !ok || opened.Ledger != v.id || opened.Mode != v.b.manifest.Mode {
		return "", domain.E(domain.KindForged, "event 0 opens ledger %s (%s), the manifest says %s (%s)",
			opened.Ledger, opened.Mode, v.id, v.b.manifest.Mode)
	}
	return fmt.Sprintf("%d streams from their first event on; later events than the last of each cannot be seen from here", len(v.b.manifest.Streams)),
		v.b.arrange()
}

func (v *bundleCheck) evidence() (string, error) {
	if err := v.b.sealedParts(); err != nil {
		return "", err
	}
	sealed, opened, personal := 0, 0, 0
	for _, e := range v.b.events {
		if len(e.Sealed) > 0 {
			sealed++
		}
		if e.opened != nil {
			opened++
			if _, notice := e.entry.Fact.(domain.PaymentNotified); !notice {
				personal++
			}
		}
	}
	text := fmt.Sprintf("%d sealed parts, %d of them opened", sealed, opened)
	if personal > 0 { // the log has no hash of them: they could be guessed by it
		text += fmt.Sprintf("; %d hold personal fields: what they say is the word of whoever made the bundle", personal)
	}
	return text, nil
}

// decisions replays the bundle as if it were a log.
func (v *bundleCheck) decisions(ctx context.Context) (string, error) {
	log := &bundleLog{v.b}
	l, err := ledger.Open(ctx, log, withheld{}, ledger.Config{Software: "verify", Clock: func() time.Time { return time.Time{} }})
	if err != nil {
		return "", err
	}
	d := Deps{Log: log, Ledger: l, Opened: v.opened, Stranger: true, NoPolicies: v.b.first()}
	secrets, err := v.b.secrets()
	if err != nil {
		return "", err
	}
	if v.Channels != nil {
		d.Channels = v.Channels(v.settings(), secrets)
	}
	if v.rep.Report, err = Verify(ctx, d, nil); err != nil {
		return "", err
	}
	rep := v.rep.Report
	if !rep.OK() {
		f := rep.Findings[0]
		return "", domain.E(domain.KindForged, "event %d (%s): %s: %s (%d findings)", uint64(f.Position)-1, f.Stream, f.Check, f.Text, rep.Broken)
	}
	var open int64
	for why := range maps.Values(rep.Evidence.Unverifiable) {
		open += why
	}
	e := rep.Evidence
	return fmt.Sprintf("every fact follows by the rules; evidence: %d verified again, %d signed over what is encrypted, %d by a shared secret, "+
		"%d unsigned, %d cannot be verified here, %d withheld or erased", e.Verified, e.Untied, e.Shared, e.Unsigned, open, e.Erased), nil
}

// settings are the newest settings of each channel.
func (v *bundleCheck) settings() []domain.ChannelConfigured {
	last := map[domain.ChannelID]domain.ChannelConfigured{}
	for _, e := range v.b.events {
		if cfg, ok := e.entry.Fact.(domain.ChannelConfigured); ok {
			last[cfg.Channel] = cfg
		}
	}
	return slices.Collect(maps.Values(last))
}

// opened gives what the bundle holds of a sealed part.
func (v *bundleCheck) opened(_ context.Context, r eventstore.Recorded) ([]byte, error) {
	for _, i := range v.b.streams[r.Stream] {
		if e := v.b.events[i]; e.Revision == r.Revision && e.opened != nil {
			return e.opened, nil
		}
	}
	return nil, domain.E(domain.KindNotFound, "the bundle does not hold it")
}

// withheld are the keys of a machine that has none.
type withheld struct{}

func (withheld) EnsureDataKey(context.Context, domain.Stream) (domain.DataKey, error) {
	return domain.DataKey{}, domain.E(domain.KindDenied, "a bundle is read only")
}

func (withheld) DataKey(context.Context, domain.Stream) (domain.DataKey, error) {
	return domain.DataKey{}, domain.E(domain.KindNotFound, "a bundle holds no keys")
}

// bundleLog is a bundle as a log: its positions count the events of the whole
// log, from 1.
type bundleLog struct{ b *bundleReader }

func (l *bundleLog) Append(context.Context, domain.Stream, eventstore.Expected, []eventstore.Event) (eventstore.Appended, error) {
	return eventstore.Appended{}, domain.E(domain.KindDenied, "a bundle is read only")
}

func (l *bundleLog) ReadStream(_ context.Context, s domain.Stream, o eventstore.ReadOptions) ([]eventstore.Recorded, error) {
	at := l.b.streams[s]
	if len(at) == 0 {
		return nil, domain.E(domain.KindNotFound, "the bundle has no events of %s", s)
	}
	var out []eventstore.Recorded
	for _, i := range at {
		if e := l.b.events[i].Recorded; e.Revision >= o.From && (o.Limit == 0 || len(out) < o.Limit) {
			out = append(out, e)
		}
	}
	return out, nil
}

func (l *bundleLog) Follow(_ context.Context, after eventstore.Position, _ eventstore.FollowOptions) iter.Seq2[eventstore.Batch, error] {
	return func(yield func(eventstore.Batch, error) bool) {
		b := eventstore.Batch{Position: after, CaughtUp: true}
		for _, e := range l.b.events {
			if e.Position > after {
				b.Events, b.Position = append(b.Events, e.Recorded), e.Position
			}
		}
		yield(b, nil)
	}
}

func (l *bundleLog) Head(context.Context) (eventstore.Position, error) {
	return l.b.events[len(l.b.events)-1].Position, nil
}
