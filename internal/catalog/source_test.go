package catalog

import (
	"cmp"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// source is what the files of package domain declare.
type source struct {
	docs    map[string]string // of types
	structs map[string]*ast.StructType
	named   map[string]string   // types that are another by another name
	words   map[string][]string // the constants of such a type, in the order of the source
	consts  map[string]string   // texts by the constant's name
	facts   map[string]string   // Go types of facts, by the constant that names them
}

const domainFolder = "../../domain"

func readSource(t *testing.T) *source {
	t.Helper()
	s := &source{
		docs: map[string]string{}, structs: map[string]*ast.StructType{}, named: map[string]string{},
		words: map[string][]string{}, consts: map[string]string{}, facts: map[string]string{},
	}
	names, err := filepath.Glob(filepath.Join(domainFolder, "*.go"))
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			s.declared(d)
		}
	}
	return s
}

func (s *source) declared(d ast.Decl) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Name.Name == "FactType" && d.Recv != nil {
			result, _ := d.Body.List[0].(*ast.ReturnStmt)
			s.facts[exprText(result.Results[0])] = exprText(d.Recv.List[0].Type)
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch spec := spec.(type) {
			case *ast.TypeSpec:
				s.docs[spec.Name.Name] = cmp.Or(spec.Doc.Text(), d.Doc.Text())
				if body, ok := spec.Type.(*ast.StructType); ok {
					s.structs[spec.Name.Name] = body
				} else {
					s.named[spec.Name.Name] = exprText(spec.Type)
				}
			case *ast.ValueSpec:
				s.constant(spec)
			}
		}
	}
}

func (s *source) constant(spec *ast.ValueSpec) {
	for i, v := range spec.Values {
		lit, ok := v.(*ast.BasicLit)
		if !ok || lit.Kind != token.STRING {
			continue
		}
		text, err := strconv.Unquote(lit.Value)
		if err != nil {
			continue
		}
		s.consts[spec.Names[i].Name] = text
		if typ := exprText(spec.Type); typ != "" && text != "" {
			s.words[typ] = append(s.words[typ], text)
		}
	}
}

// exprText is a type as it is written, without its pointer.
func exprText(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.StarExpr:
		return exprText(e.X)
	case *ast.SelectorExpr:
		return exprText(e.X) + "." + e.Sel.Name
	case *ast.ArrayType:
		return "[]" + exprText(e.Elt)
	case *ast.MapType:
		return "map[" + exprText(e.Key) + "]" + exprText(e.Value)
	}
	return ""
}

// jsonTypes are the JSON forms of what is not spelt out by the source's shape.
var jsonTypes = map[string]string{
	"string": "string", "bool": "boolean", "int": "number", "int64": "number", "uint64": "number",
	"[]byte": "string (base64)", "time.Time": "string (time)", "ID": "string (UUID)", "Day": "string (YYYY-MM-DD)",
	"map[string]string": "object of strings", "json.RawMessage": "any",
}

// glossary has members whose name means the same wherever it comes.
var glossary = map[string]string{
	"run":              "id of the reconciler's run",
	"sha256":           "hash of the bill's bytes, hex",
	"row":              "line of the bill, from 1",
	"bill":             "which bill: trade, fund_flow or answers",
	"payout_id":        "the provider's number of the payout",
	"person":           "who",
	"book":             "name of the account in the books",
	"scheme":           "how the proof is checked",
	"key":              "fingerprint of the key",
	"received_at":      "when the bytes had come",
	"effective_at":     "from when on it counts",
	"period":           "month of the books, YYYY-MM",
	"placed_at":        "when it was placed",
	"expires_at":       "until when it can be paid",
	"differences":      "what differs, setting by setting",
	"revision":         "the event's place in its stream, from 0",
	"count":            "how many",
	"fingerprint":      "of the key's DER, sha256:hex",
	"line":             "the provider's number of the line",
	"provider":         "adapter: epay, wechatpay, alipay or stripe",
	"account":          "the wallet",
	"amount":           "how much",
	"approved_by":      "the person who said yes",
	"basis":            "id of the event it rests on",
	"by":               "who",
	"channel":          "the channel's id",
	"channel_revision": "revision of the channel's settings that were used",
	"currency":         "ISO 4217 code",
	"dates":            "the days it belongs to",
	"dispute_id":       "the provider's number of the dispute",
	"grade":            "how strong the evidence is, A to D",
	"name":             "its name",
	"order_no":         "the merchant's order number",
	"postings":         "what moves in the books; sums to zero",
	"proposal":         "id of the proposal",
	"proposed_by":      "the person who asked",
	"reason":           "why",
	"refund_id":        "the provider's number of the refund",
	"refund_no":        "the merchant's number of the refund",
	"rules":            "version of the rules that decided",
	"source":           "how it was learnt",
	"trade_no":         "the provider's number of the trade",
	"value_date":       "the day it belongs to",
}

type build struct {
	*source
	parts map[string]Shape
}

func (b *build) shape(t *testing.T, name, goType string) Shape {
	t.Helper()
	s := Shape{Name: name, Tells: b.inJSON(goType, tells(goType, b.docs[goType]))}
	if s.Tells == "" {
		t.Errorf("domain.%s has no comment that says what it tells", goType)
	}
	for _, f := range b.structs[goType].Fields.List {
		if f.Tag == nil {
			continue
		}
		tag, err := strconv.Unquote(f.Tag.Value)
		if err != nil {
			t.Fatal(err)
		}
		json, options, _ := strings.Cut(reflect.StructTag(tag).Get("json"), ",")
		if json == "-" || json == "" {
			continue
		}
		m := Member{
			Name: json, Optional: options != "", Type: b.jsonType(t, exprText(f.Type)),
			Meaning: strings.TrimSpace(cmp.Or(strings.TrimSpace(f.Comment.Text()), oneLine(f.Doc.Text()), b.same(goType, f.Names[0].Name), glossary[json])),
		}
		if under := strings.TrimPrefix(exprText(f.Type), "[]"); under != "Currency" && len(b.words[under]) > 1 { // units have a table that grows; one word alone is a special case
			m.OneOf = b.words[under]
		}
		if m.Meaning == "" {
			m.Meaning = oneLine(tells("", firstSentence(b.docs[strings.TrimPrefix(exprText(f.Type), "[]")])))
		}
		if m.Meaning == "" {
			t.Errorf("domain.%s: nothing says what %s means", goType, json)
		}
		m.Meaning = b.inJSON(goType, m.Meaning)
		s.Members = append(s.Members, m)
	}
	return s
}

var goName = regexp.MustCompile(`\b[A-Z][a-z]+[A-Z][A-Za-z]*\b`)

// inJSON is a comment with the names that stand in the log for those of the
// source: facts by their type, other members by theirs.
func (b *build) inJSON(goType, text string) string {
	return goName.ReplaceAllStringFunc(text, func(name string) string {
		for constant, fact := range b.facts {
			if fact == name {
				return b.consts[constant]
			}
		}
		for _, f := range b.structs[goType].Fields.List {
			if len(f.Names) == 1 && f.Names[0].Name == name && f.Tag != nil {
				json, _, _ := strings.Cut(reflect.StructTag(strings.Trim(f.Tag.Value, "`")).Get("json"), ",")
				return json
			}
		}
		if word, ok := b.consts[name]; ok {
			return strconv.Quote(word)
		}
		return name
	})
}

// same is what the notice says of a member that the event of it keeps.
func (b *build) same(goType, field string) string {
	if goType != "PaymentNotified" {
		return ""
	}
	for _, f := range b.structs["Notice"].Fields.List {
		if f.Names[0].Name == field {
			return strings.TrimSpace(f.Comment.Text())
		}
	}
	return ""
}

// jsonType is how a Go type stands in JSON. A struct becomes a part.
func (b *build) jsonType(t *testing.T, goType string) string {
	t.Helper()
	if text, ok := jsonTypes[goType]; ok {
		return text
	}
	if elem, ok := strings.CutPrefix(goType, "[]"); ok {
		return arrayOf + b.jsonType(t, elem)
	}
	if under, ok := b.named[goType]; ok {
		return b.jsonType(t, under)
	}
	if goType == "Money" {
		b.parts["money"] = Shape{Name: "money", Tells: "an amount of one currency", Members: []Member{
			{Name: "amount", Type: "string", Meaning: "decimal, with the places of the currency's unit"},
			{Name: "currency", Type: "string", Meaning: "ISO 4217 code"},
		}, Example: `{"amount":"7.30","currency":"CNY"}`}
		return "money"
	}
	if b.structs[goType] == nil {
		t.Fatalf("domain.%s has no JSON form here", goType)
	}
	name := partName(goType)
	if _, ok := b.parts[name]; !ok {
		b.parts[name] = Shape{Name: name} // a part may hold itself
		b.parts[name] = b.shape(t, name, goType)
	}
	return name
}

// partName is "EvidenceRef" as "evidence-ref".
func partName(goType string) string {
	var out strings.Builder
	for i, r := range goType {
		if r >= 'A' && r <= 'Z' {
			if i > 0 && goType[i-1] >= 'a' {
				out.WriteByte('-')
			}
			r += 'a' - 'A'
		}
		out.WriteRune(r)
	}
	return out.String()
}

// tells is a doc comment without the name it begins with.
func tells(goType, doc string) string {
	doc = strings.TrimSpace(strings.TrimPrefix(oneLine(doc), goType))
	for _, lead := range []string{"is ", "are ", "says that ", "says "} {
		if rest, ok := strings.CutPrefix(doc, lead); ok {
			doc = rest
			break
		}
	}
	return strings.TrimSuffix(doc, ".")
}

func firstSentence(doc string) string {
	first, _, _ := strings.Cut(oneLine(doc), ". ")
	if _, rest, ok := strings.Cut(first, " "); ok {
		return strings.TrimSuffix(rest, ".") // without the name it begins with
	}
	return ""
}

func oneLine(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "//") {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return strings.TrimSpace(strings.Join(lines, " "))
}

// made is the catalog of the source as it is.
func made(t *testing.T) Catalog {
	t.Helper()
	b := build{source: readSource(t), parts: map[string]Shape{}}
	var c Catalog
	for constant, goType := range b.facts {
		name, ok := b.consts[constant]
		if !ok {
			t.Fatalf("domain.%s is no text", constant)
		}
		e := b.shape(t, name, goType)
		e.Example = example(t, name)
		c.Events = append(c.Events, e)
	}
	b.parts["meta"], b.parts["evidence"] = b.shape(t, "meta", "Meta"), b.shape(t, "evidence", "Evidence")
	for _, p := range b.parts {
		c.Parts = append(c.Parts, p)
	}
	byName := func(x, y Shape) int { return strings.Compare(x.Name, y.Name) }
	slices.SortFunc(c.Events, byName)
	slices.SortFunc(c.Parts, byName)
	return c
}

// example is a golden fixture: what a test reads and writes back byte by byte.
func example(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(domainFolder, "testdata/facts", fmt.Sprintf("%s.full.json", name)))
	if errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s has no full fixture", name)
		return ""
	}
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(data))
}
