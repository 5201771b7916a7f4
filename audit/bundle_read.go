package audit

import (
	"archive/zip"
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"regexp"
	"slices"
	"strings"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/internal/strictjson"
	"counterfoil/ledger"
)

// Limits of a bundle that is read: foreign bytes come in here.
const (
	maxManifest    = 64 << 20
	maxBundleFile  = 1 << 30
	maxBundle      = 4 << 30 // all files together, unpacked
	maxBundleFiles = 3*MaxBundleEvents + 1000
	maxLine        = 4 << 20
	maxSealedPart  = 16 << 20
	maxSummary     = 512 << 20
)

// bundleFile are the only names a bundle may hold.
var bundleFile = regexp.MustCompile(`^(manifest\.json|checkpoint|log\.key|events\.ndjson|proofs\.ndjson|summary\.html|` +
	`evidence/(0|[1-9][0-9]{0,18})\.(sealed|json)|keys/[a-zA-Z0-9-]{1,100}\.pem|secrets/[a-z0-9][a-z0-9-]{0,31}\.keys)$`)

// bundleReader reads a bundle that nobody vouches for.
type bundleReader struct {
	files    map[string]*zip.File
	manifest manifest
	hashes   map[string]manifestFile
	events   []bundled
	place    eventstore.Position     // in the store, of the last event that was read
	streams  map[domain.Stream][]int // by revision: where in events
}

// openContainer reads the list of files.
func openContainer(r io.ReaderAt, size int64) (*bundleReader, error) {
	z, err := zip.NewReader(r, size)
	if err != nil {
		return nil, domain.E(domain.KindInvalid, "this is no bundle, or it was cut short: %w", err)
	}
	if len(z.File) > maxBundleFiles {
		return nil, domain.E(domain.KindTooLarge, "%d files: a bundle has at most %d", len(z.File), maxBundleFiles)
	}
	b := &bundleReader{files: map[string]*zip.File{}, hashes: map[string]manifestFile{}, streams: map[domain.Stream][]int{}}
	for _, f := range z.File {
		if !bundleFile.MatchString(f.Name) {
			return nil, domain.E(domain.KindInvalid, "it holds %.100q, which belongs into no bundle", f.Name)
		}
		if b.files[f.Name] != nil {
			return nil, domain.E(domain.KindInvalid, "it holds %s twice", f.Name)
		}
		b.files[f.Name] = f
	}
	return b, nil
}

// read is the whole of a file, up to limit bytes.
func (b *bundleReader) read(name string, limit int64) ([]byte, error) {
	f := b.files[name]
	if f == nil {
		return nil, domain.E(domain.KindNotFound, "%s is missing", name)
	}
	r, err := f.Open()
	if err != nil {
		return nil, domain.E(domain.KindInvalid, "%s cannot be read: %w", name, err)
	}
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err = errors.Join(err, r.Close()); err != nil {
		return nil, domain.E(domain.KindInvalid, "%s cannot be read: %w", name, err)
	}
	if int64(len(data)) > limit {
		return nil, domain.E(domain.KindTooLarge, "%s has more than %d bytes", name, limit)
	}
	return data, nil
}

func (b *bundleReader) readManifest() error {
	data, err := b.read(manifestName, maxManifest)
	if err != nil {
		return err
	}
	var format struct {
		Format string `json:"format"`
	}
	if err := (strictjson.Limits{MaxBytes: maxManifest, ObjectOnly: true}).Unmarshal(data, &format); err != nil {
		return domain.E(domain.KindInvalid, "%s: %w", manifestName, err)
	}
	if format.Format != BundleFormat && format.Format != firstBundleFormat {
		return domain.E(domain.KindInvalid, "the bundle has format %.60q, this program reads %s and %s: use the program that wrote it, or a newer one",
			format.Format, BundleFormat, firstBundleFormat)
	}
	if err := (strictjson.Limits{MaxBytes: maxManifest, ObjectOnly: true}).UnmarshalKnown(data, &b.manifest); err != nil {
		return domain.E(domain.KindInvalid, "%s: %w", manifestName, err)
	}
	return nil
}

// checkFiles holds every file against the manifest, and the manifest against
// what is there.
func (b *bundleReader) checkFiles() error {
	var total int64
	for _, f := range b.manifest.Files {
		if total += max(0, min(f.Bytes, maxBundle)); total > maxBundle {
			return domain.E(domain.KindTooLarge, "the files have more than %d bytes together", int64(maxBundle))
		}
		if _, twice := b.hashes[f.Name]; twice || f.Name == manifestName {
			return domain.E(domain.KindInvalid, "the manifest names %.100q twice, or itself", f.Name)
		}
		b.hashes[f.Name] = f
		if err := b.checkFile(f); err != nil {
			return err
		}
	}
	for name := range b.files {
		if _, ok := b.hashes[name]; !ok && name != manifestName {
			return domain.E(domain.KindForged, "%s is not in the manifest", name)
		}
	}
	return nil
}

func (b *bundleReader) checkFile(want manifestFile) error {
	f := b.files[want.Name]
	if f == nil {
		return domain.E(domain.KindNotFound, "%.100q is missing", want.Name)
	}
	if want.Bytes < 0 || want.Bytes > maxBundleFile {
		return domain.E(domain.KindTooLarge, "%s: %d bytes", want.Name, want.Bytes)
	}
	r, err := f.Open()
	if err != nil {
		return domain.E(domain.KindInvalid, "%s cannot be read: %w", want.Name, err)
	}
	h := sha256.New()
	n, err := io.Copy(h, io.LimitReader(r, want.Bytes+1))
	if err = errors.Join(err, r.Close()); err != nil {
		return domain.E(domain.KindInvalid, "%s cannot be read: %w", want.Name, err)
	}
	if got := hex.EncodeToString(h.Sum(nil)); n != want.Bytes || got != want.SHA256 {
		return domain.E(domain.KindForged, "%s was changed: it has SHA-256 %s, the manifest says %.64s", want.Name, got, want.SHA256)
	}
	return nil
}

// lines reads a file line by line: unpacked it may be far larger than the bundle.
func (b *bundleReader) lines(name string) (*bufio.Scanner, func() error, error) {
	f := b.files[name]
	if f == nil {
		return nil, nil, domain.E(domain.KindNotFound, "%s is missing", name)
	}
	r, err := f.Open()
	if err != nil {
		return nil, nil, domain.E(domain.KindInvalid, "%s cannot be read: %w", name, err)
	}
	s := bufio.NewScanner(io.LimitReader(r, maxBundleFile))
	s.Buffer(nil, maxLine)
	return s, r.Close, nil
}

// readEvents reads events and their proofs, in step.
func (b *bundleReader) readEvents() (err error) {
	es, closeEvents, err := b.lines(eventsName)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeEvents()) }()
	ps, closeProofs, err := b.lines(proofsName)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeProofs()) }()
	for es.Scan() {
		if len(b.events) == MaxBundleEvents {
			return domain.E(domain.KindTooLarge, "more than %d events", MaxBundleEvents)
		}
		if !ps.Scan() {
			return domain.E(domain.KindForged, "%s ends before event %d of %s", proofsName, len(b.events), eventsName)
		}
		if err := b.addEvent(es.Bytes(), ps.Bytes()); err != nil {
			return domain.E(domain.KindOf(err), "line %d of %s: %w", len(b.events)+1, eventsName, err)
		}
	}
	if ps.Scan() {
		return domain.E(domain.KindForged, "%s has more lines than %s", proofsName, eventsName)
	}
	if err := errors.Join(es.Err(), ps.Err()); err != nil {
		return domain.E(domain.KindInvalid, "a line has more than %d bytes, or cannot be read: %w", maxLine, err)
	}
	return nil
}

func (b *bundleReader) addEvent(line, proof []byte) error {
	limits := strictjson.Limits{MaxBytes: maxLine, ObjectOnly: true}
	var l eventLine
	if err := limits.UnmarshalKnown(line, &l); err != nil {
		return domain.E(domain.KindInvalid, "%w", err)
	}
	var p proofLine
	if err := limits.UnmarshalKnown(proof, &p); err != nil {
		return domain.E(domain.KindInvalid, "its proof: %w", err)
	}
	if p.Index != l.Index {
		return domain.E(domain.KindForged, "event %d comes with the proof of event %d", l.Index, p.Index)
	}
	if n := len(b.events); n > 0 && b.events[n-1].index >= l.Index {
		return domain.E(domain.KindForged, "event %d comes behind event %d", l.Index, b.events[n-1].index)
	}
	place, err := eventstore.ParsePosition(l.Position)
	if err != nil || place <= b.place {
		return domain.E(domain.KindForged, "event %d stands at position %.40q, behind %s", l.Index, l.Position, b.place)
	}
	b.place = place
	pre, err := l.preimage()
	if err != nil {
		return err
	}
	e := bundled{index: l.Index, Recorded: eventstore.Recorded{
		Stream: pre.Stream, Revision: pre.Revision, Position: eventstore.Position(l.Index + 1), Event: pre.Event, SealedHash: pre.Sealed,
	}}
	if e.path, err = pathOf(p.Path); err != nil {
		return err
	}
	b.events = append(b.events, e)
	return nil
}

// decode reads the facts; types of a newer program are named.
func (b *bundleReader) decode() (err error) {
	for i := range b.events {
		e := &b.events[i]
		if e.entry, err = ledger.Decode(e.Recorded); err != nil {
			return domain.E(domain.KindInvalid, "event %d is in the log, and this program cannot read it; a newer one may: %w", e.index, err)
		}
	}
	return nil
}

// arrange puts events into their streams, which must be whole and announced.
func (b *bundleReader) arrange() error {
	for i, e := range b.events {
		at := b.streams[e.Stream]
		if e.Revision != uint64(len(at)) {
			return domain.E(domain.KindForged, "event %d has revision %d of %s, where %d must stand: events were left out",
				e.index, e.Revision, e.Stream, len(at))
		}
		b.streams[e.Stream] = append(at, i)
	}
	for _, s := range b.manifest.Streams {
		if len(b.streams[s.Stream]) != s.Events || s.Events == 0 {
			return domain.E(domain.KindForged, "stream %.300s has %d events, the manifest says %d", s.Stream, len(b.streams[s.Stream]), s.Events)
		}
	}
	if len(b.streams) != len(b.manifest.Streams) {
		return domain.E(domain.KindForged, "there are events of %d streams, the manifest names %d", len(b.streams), len(b.manifest.Streams))
	}
	about := 0
	for s := range b.streams {
		if err := b.belongs(s); err != nil {
			return err
		}
		if ofChannels(s) || s.Category() == "draw" {
			about++
		}
	}
	if about == 0 {
		return domain.E(domain.KindForged, "nothing of %s %.200s is in it", b.manifest.Subject.Kind, b.manifest.Subject.Name)
	}
	return nil
}

// publicKeys holds the manifest's keys and their files against the settings
// among the events, which are proven.
func (b *bundleReader) publicKeys() (int, error) {
	rows, files := publicKeys(b.events)
	for _, row := range b.manifest.Keys {
		if !slices.Contains(rows, row) {
			return 0, domain.E(domain.KindForged, "no settings of channel %.40q hold key %.80s (%.40s, obtained %.40q, %.120s)",
				row.Channel, row.Fingerprint, row.Use, row.Obtained, row.File)
		}
	}
	if len(b.manifest.Keys) != len(rows) {
		return 0, domain.E(domain.KindForged, "the settings hold %d keys, the manifest names %d", len(rows), len(b.manifest.Keys))
	}
	for name := range b.files {
		if _, ok := files[name]; strings.HasPrefix(name, "keys/") && !ok {
			return 0, domain.E(domain.KindForged, "%s is no key of the settings", name)
		}
	}
	for name, want := range files {
		if got, err := b.read(name, int64(len(want))); err != nil || !bytes.Equal(got, want) {
			return 0, errors.Join(domain.E(domain.KindForged, "%s is not the key that the settings hold", name), err)
		}
	}
	return len(files), nil
}

// belongs refuses streams that are foreign to the subject.
func (b *bundleReader) belongs(s domain.Stream) error {
	switch s.Category() {
	case domain.LedgerStream.Category(), domain.PeriodsStream.Category(), domain.PeopleStream.Category():
		return nil
	case "channel":
		if b.rests(s) {
			return nil
		}
	case "policy":
		if !b.first() && b.rests(s) {
			return nil
		}
	case "payment", "opening", "draw":
		if !b.manifest.Subject.holds(s) || b.first() && s.Category() != "payment" {
			break
		}
		for _, i := range b.streams[s] {
			if b.manifest.Subject.claims(s, b.events[i].entry.Fact) {
				return nil
			}
		}
	}
	return domain.E(domain.KindForged, "%.300s is foreign to %s %.200s", s, b.manifest.Subject.Kind, b.manifest.Subject.Name)
}

// first reports a bundle of the first format.
func (b *bundleReader) first() bool { return b.manifest.Format == firstBundleFormat }

// rests tells whether anything that the bundle is about rests on the channel of
// settings or of a policy.
func (b *bundleReader) rests(settings domain.Stream) bool {
	return slices.ContainsFunc(b.manifest.Streams, func(m manifestStream) bool {
		return ofChannels(m.Stream) && channelOf(m.Stream) == channelOf(settings)
	})
}

// claims tells whether a stream with this fact is the subject's.
func (s Subject) claims(stream domain.Stream, f domain.Fact) bool {
	if s.Kind != SubjectPayment {
		return s.covers(f)
	}
	ch, order, err := ParsePaymentSubject(s.Name)
	return err == nil && stream == domain.PaymentStream(ch, order)
}

// sealedParts loads the sealed part of each event that has one.
func (b *bundleReader) sealedParts() error {
	used := map[string]bool{}
	for i := range b.events {
		e := &b.events[i]
		name := sealedName(e.index)
		used[name], used[openedName(e.index)] = true, true
		if e.SealedHash == sha256.Sum256(nil) {
			if b.files[name] != nil || b.files[openedName(e.index)] != nil {
				return domain.E(domain.KindForged, "event %d has no sealed part, but one is here", e.index)
			}
			continue
		}
		data, err := b.read(name, maxSealedPart)
		if err != nil {
			return err
		}
		if sha256.Sum256(data) != e.SealedHash {
			return domain.E(domain.KindForged, "%s is not the sealed part of event %d", name, e.index)
		}
		e.Sealed = data
		if b.files[openedName(e.index)] != nil {
			if e.opened, err = b.read(openedName(e.index), maxSealedPart); err != nil {
				return err
			}
		}
	}
	for name := range b.files {
		if strings.HasPrefix(name, "evidence/") && !used[name] {
			return domain.E(domain.KindForged, "%s belongs to no event", name)
		}
	}
	return nil
}

// secrets are the keys by which messages are read, where the bundle has some.
func (b *bundleReader) secrets() (Secrets, error) {
	out := Secrets{}
	for name := range b.files {
		channel, ok := strings.CutPrefix(name, secretsDir)
		if !ok {
			continue
		}
		text, err := b.read(name, 64<<10)
		if err != nil {
			return nil, err
		}
		id := domain.ChannelID(strings.TrimSuffix(channel, ".keys"))
		if len(b.streams[domain.ChannelStream(id)]) == 0 {
			return nil, domain.E(domain.KindForged, "%s is of a channel that is not in the bundle", name)
		}
		for line := range strings.Lines(string(text)) {
			key, err := base64.StdEncoding.DecodeString(strings.TrimSuffix(line, "\n"))
			if err != nil {
				return nil, domain.E(domain.KindInvalid, "%s holds a line that is no base64", name)
			}
			out[id] = append(out[id], string(key))
		}
	}
	return out, nil
}
