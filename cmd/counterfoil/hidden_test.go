package main

import (
	"archive/zip"
	"bytes"
	"crypto/x509"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"
)

// said has all that the commands of each script said under `noted`, and known
// every secret it has had so far, by name.
var said, known sync.Map

// noted runs a command that may fail, and notes what it says: noted COMMAND ARG...
func noted(ts *testscript.TestScript, _ bool, args []string) {
	_ = ts.Exec(args[0], args[1:]...) // what it says when it fails counts, too
	text, _ := said.LoadOrStore(ts, &bytes.Buffer{})
	out, _ := text.(*bytes.Buffer)
	out.WriteString(ts.ReadFile("stdout") + ts.ReadFile("stderr"))
}

// secrets remembers the secrets of an installation as they are now, of key files,
// and words: secrets DIR [FILE.pem | FILE.key | WORD]...
func secrets(ts *testscript.TestScript, _ bool, args []string) {
	all, _ := known.LoadOrStore(ts, map[string][]byte{})
	have, _ := all.(map[string][]byte)
	before := len(have)
	addKeyFiles(ts, have, filepath.Join(args[0], "secrets", "tree.key"), filepath.Join(args[0], "secrets", "admin.key"))
	dataKeys(ts, have, args[0])
	for _, name := range args[1:] {
		if filepath.Ext(name) == ".pem" || filepath.Ext(name) == ".key" {
			addKeyFiles(ts, have, name)
		} else {
			have["word "+name] = []byte(name)
		}
	}
	if len(have) == before {
		ts.Fatalf("no new secret was found")
	}
}

// addKeyFiles reads a person's key (PEM), one of the tree or of a witness (a note
// signer), or an API key.
func addKeyFiles(ts *testscript.TestScript, have map[string][]byte, names ...string) {
	for _, name := range names {
		text := strings.TrimSpace(ts.ReadFile(name))
		have["the whole of "+name] = []byte(text)
		switch block, _ := pem.Decode([]byte(text)); {
		case block != nil:
			_, err := x509.ParsePKCS8PrivateKey(block.Bytes)
			ts.Check(err)
			have["seed of "+name] = block.Bytes[len(block.Bytes)-32:]
		case strings.HasPrefix(text, "PRIVATE+KEY+"):
			raw, err := base64.StdEncoding.DecodeString(strings.SplitN(text, "+", 5)[4]) // PRIVATE+KEY+name+hash+key
			ts.Check(err)
			have["seed of "+name] = raw[1:]
		default:
			have["secret of "+name] = []byte(text[len(text)-64:])
		}
	}
}

// dataKeys are the keys by which evidence is sealed.
func dataKeys(ts *testscript.TestScript, have map[string][]byte, dir string) {
	db, err := sql.Open("sqlite", ts.MkAbs(filepath.Join(dir, "operations.db")))
	ts.Check(err)
	defer db.Close()
	rows, err := db.Query("SELECT id, key FROM data_keys")
	ts.Check(err)
	defer rows.Close()
	for rows.Next() {
		var id, key []byte
		ts.Check(rows.Scan(&id, &key))
		have["data key "+hex.EncodeToString(id)] = key
	}
	ts.Check(rows.Err())
}

// hidden looks for every secret, in any writing, in what was noted, in what the
// daemon logged, in the events, in all files of the installation but those made
// for secrets, and in files that left it: hidden DIR FILE...
func hidden(ts *testscript.TestScript, _ bool, args []string) {
	text, ok := said.Load(ts)
	if !ok {
		ts.Fatalf("nothing was noted")
	}
	out, _ := text.(*bytes.Buffer)
	places := map[string][]byte{"what commands said": out.Bytes(), "api.log": []byte(ts.ReadFile("api.log")), "events": eventsOf(ts, args[0])}
	root := ts.MkAbs(args[0])
	ts.Check(filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		name, _ := filepath.Rel(root, path)
		if err != nil || d.IsDir() || strings.HasPrefix(name, "operations.db") || strings.HasPrefix(name, "secrets"+string(filepath.Separator)) {
			return err
		}
		places[name], err = os.ReadFile(path)
		return err
	}))
	for _, name := range args[1:] {
		unpacked(ts, places, name)
	}
	all, _ := known.Load(ts)
	have, _ := all.(map[string][]byte)
	for _, where := range slices.Sorted(maps.Keys(places)) {
		for what, secret := range have {
			for _, written := range writings(secret) {
				if bytes.Contains(places[where], written) {
					ts.Fatalf("%s is in %s", what, where)
				}
			}
		}
	}
	ts.Logf("%d secrets, %d places", len(have), len(places))
}

// writings are a secret as it is, in hex and in base64.
func writings(secret []byte) [][]byte {
	return [][]byte{
		secret, []byte(hex.EncodeToString(secret)), []byte(strings.ToUpper(hex.EncodeToString(secret))),
		[]byte(base64.RawStdEncoding.EncodeToString(secret)), []byte(base64.RawURLEncoding.EncodeToString(secret)),
	}
}

// eventsOf is all that is stored of the events.
func eventsOf(ts *testscript.TestScript, dir string) (all []byte) {
	db, err := sql.Open("sqlite", ts.MkAbs(filepath.Join(dir, "events.db")))
	ts.Check(err)
	defer db.Close()
	rows, err := db.Query("SELECT data, meta FROM events")
	ts.Check(err)
	defer rows.Close()
	for rows.Next() {
		var data, meta []byte
		ts.Check(rows.Scan(&data, &meta))
		all = append(append(all, data...), meta...)
	}
	ts.Check(rows.Err())
	return all
}

// unpacked adds a file, or each file in it when it is a zip.
func unpacked(ts *testscript.TestScript, places map[string][]byte, name string) {
	if filepath.Ext(name) != ".zip" {
		places[name] = []byte(ts.ReadFile(name))
		return
	}
	z, err := zip.OpenReader(ts.MkAbs(name))
	ts.Check(err)
	defer z.Close()
	for _, f := range z.File {
		r, err := f.Open()
		ts.Check(err)
		places[name+"/"+f.Name], err = io.ReadAll(r)
		ts.Check(err)
		ts.Check(r.Close())
	}
}
