package audit

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"counterfoil/domain"
	"counterfoil/tamperlog"
)

// BundleMade is what a written bundle holds.
type BundleMade struct {
	Subject  Subject `json:"subject"`
	Events   int     `json:"events"`
	Evidence int     `json:"evidence"` // opened; sealed bytes are always there
	Size     uint64  `json:"size"`     // events under the checkpoint
	Root     string  `json:"root"`
	Others   int     `json:"other_accounts"` // beside the subject's, whose opening balances it shows: an opening is one event
}

// WriteBundle writes everything a stranger needs to verify what happened to a
// subject: events, evidence, proofs, the signed head, keys, a manifest and a
// summary for people. Only signed events are in it.
func WriteBundle(ctx context.Context, w io.Writer, d BundleDeps, o BundleOptions) (BundleMade, error) {
	c, err := collect(ctx, d, o)
	if err != nil {
		return BundleMade{}, err
	}
	b := &bundleWriter{collection: c, zip: zip.NewWriter(w)}
	if err := b.write(); err != nil {
		return BundleMade{}, fmt.Errorf("write the bundle: %w", err)
	}
	return BundleMade{o.Subject, len(c.events), b.opened, c.head.Size, c.head.Hex(), c.others()}, nil
}

// others counts the accounts whose opening balances a bundle about another
// account shows.
func (c *collection) others() int {
	seen := map[domain.AccountID]bool{}
	for _, e := range c.events {
		f, ok := e.entry.Fact.(domain.OpeningBooked)
		if !ok || c.o.Subject.Kind != SubjectAccount {
			continue
		}
		for _, p := range f.Postings {
			if p.Wallet != "" && string(p.Wallet) != c.o.Subject.Name {
				seen[p.Wallet] = true
			}
		}
	}
	return len(seen)
}

type bundleWriter struct {
	*collection
	zip    *zip.Writer
	files  []manifestFile
	opened int
}

func (b *bundleWriter) write() error {
	key, err := b.deps.Tree.Key()
	if err != nil {
		return err
	}
	m := manifest{
		Format: BundleFormat, Ledger: b.deps.Ledger.ID().String(), Mode: b.deps.Ledger.Mode(), MadeAt: domain.Instant(b.deps.Now),
		Software: b.deps.Software, Subject: b.o.Subject, Checkpoint: manifestHead{b.head.Size, b.head.Hex()}, Keys: []manifestKey{},
	}
	if err := b.keys(&m); err != nil {
		return err
	}
	for _, part := range []func() error{
		func() error { return b.file(headName, b.head.Note) },
		func() error { return b.file(logKeyName, []byte(key+"\n")) },
		b.lines, b.evidence, b.secrets,
		func() error {
			page, err := summarized{m, b.head, key, b.events, b.deps.Describe}.page()
			if err != nil {
				return err
			}
			return b.file(summaryName, page)
		},
		func() error { return b.manifest(m) },
	} {
		if err := part(); err != nil {
			return err
		}
	}
	return b.zip.Close()
}

// file adds a whole file.
func (b *bundleWriter) file(name string, data []byte) error {
	w, err := b.zip.Create(name)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(data)
	b.files = append(b.files, manifestFile{name, int64(len(data)), hex.EncodeToString(sum[:])})
	_, err = w.Write(data)
	return err
}

func (b *bundleWriter) lines() error {
	var events, proofs []byte
	for _, e := range b.events {
		line, err := plainJSON(eventLine{e.index, e.Position.String(), preimageOf(e.Recorded).json()})
		if err != nil {
			return err
		}
		events = append(events, line...)
		if line, err = plainJSON(proofLine{e.index, base64s(e.path)}); err != nil {
			return err
		}
		proofs = append(proofs, line...)
	}
	if err := b.file(eventsName, events); err != nil {
		return err
	}
	return b.file(proofsName, proofs)
}

func base64s(p tamperlog.Proof) []string {
	out := make([]string, len(p))
	for i, h := range p {
		out[i] = base64.StdEncoding.EncodeToString(h[:])
	}
	return out
}

func (b *bundleWriter) evidence() error {
	for _, e := range b.events {
		if len(e.Sealed) == 0 {
			continue
		}
		if err := b.file(sealedName(e.index), e.Sealed); err != nil {
			return err
		}
		if e.opened == nil {
			continue
		}
		b.opened++
		if err := b.file(openedName(e.index), e.opened); err != nil {
			return err
		}
	}
	return nil
}

// secrets adds the keys by which signed messages of the bundle's channels are
// read, where the owner hands them out.
func (b *bundleWriter) secrets() error {
	for _, ch := range slices.Sorted(maps.Keys(b.deps.Secrets)) {
		if b.count[domain.ChannelStream(ch)] == 0 {
			continue
		}
		var lines strings.Builder
		for _, key := range b.deps.Secrets[ch] {
			lines.WriteString(base64.StdEncoding.EncodeToString([]byte(key)) + "\n")
		}
		if err := b.file(secretsDir+string(ch)+".keys", []byte(lines.String())); err != nil {
			return err
		}
	}
	return nil
}

// keys adds every public key of the channels, with how it was obtained.
func (b *bundleWriter) keys(m *manifest) error {
	rows, files := publicKeys(b.events)
	m.Keys = append(m.Keys, rows...)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := b.file(name, files[name]); err != nil {
			return err
		}
	}
	return nil
}

// publicKeys are the keys that settings among the events hold whole, each named
// with how it was obtained, and the files they stand in.
func publicKeys(events []bundled) (rows []manifestKey, files map[string][]byte) {
	files = map[string][]byte{}
	for _, e := range events {
		cfg, ok := e.entry.Fact.(domain.ChannelConfigured)
		if !ok {
			continue
		}
		for _, k := range cfg.PublicKeys {
			file := "keys/" + strings.NewReplacer(":", "-", "/", "-").Replace(k.Fingerprint) + ".pem"
			row := manifestKey{cfg.Channel, k.Fingerprint, k.Use, k.Obtained, file}
			if !slices.Contains(rows, row) {
				rows = append(rows, row)
			}
			files[file] = pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: k.DER})
		}
	}
	return rows, files
}

// manifest is written last: it names every other file by its hash.
func (b *bundleWriter) manifest(m manifest) error {
	m.Files = b.files
	for s, n := range b.count {
		m.Streams = append(m.Streams, manifestStream{s, n})
	}
	slices.SortFunc(m.Streams, func(x, y manifestStream) int { return strings.Compare(string(x.Stream), string(y.Stream)) })
	data, err := plainJSON(m)
	if err != nil {
		return err
	}
	w, err := b.zip.Create(manifestName)
	if err != nil {
		return err
	}
	_, err = w.Write(data)
	return err
}
