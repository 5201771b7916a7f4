// Package catalog describes the stored form of events, type by type: what each
// tells, its members and an example. It is read from the source of package
// domain and from its golden fixtures by this package's test, so that it cannot
// say anything else than the code does.
package catalog

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Shape is a JSON object of the log: an event's fact, or a part of one.
type Shape struct {
	Name    string   `json:"name"`              // stored type, e.g. "payment.credited.v1"; of a part its name in docs
	Tells   string   `json:"tells"`             // what happened, a sentence
	Members []Member `json:"members"`           // in the order in which they are stored
	Example string   `json:"example,omitempty"` // as stored
}

// Member is one member of a Shape.
type Member struct {
	Name     string   `json:"name"`
	Type     string   `json:"type"`               // JSON type, or the name of a part; or "array of " either
	Optional bool     `json:"optional,omitempty"` // absent when it is empty
	Meaning  string   `json:"meaning"`
	OneOf    []string `json:"one_of,omitempty"` // all words it may hold
}

// Catalog is everything that is stored.
type Catalog struct {
	Events []Shape `json:"events"` // facts, by name
	Parts  []Shape `json:"parts"`  // what facts are made of, by name
}

//go:embed catalog.json
var stored []byte

// Read is the catalog of this software.
func Read() (Catalog, error) {
	var c Catalog
	if err := json.Unmarshal(stored, &c); err != nil {
		return c, fmt.Errorf("read the event catalog: %w", err)
	}
	return c, nil
}

// Event is one type of event.
func (c Catalog) Event(name string) (Shape, bool) {
	i := slices.IndexFunc(c.Events, func(s Shape) bool { return s.Name == name })
	if i < 0 {
		return Shape{}, false
	}
	return c.Events[i], true
}

// PartsOf are the parts of s, also parts of parts, each once, in the order in which they are met.
func (c Catalog) PartsOf(s Shape) []Shape {
	var out []Shape
	for todo := []Shape{s}; len(todo) > 0; todo = todo[1:] {
		for _, m := range todo[0].Members {
			i := slices.IndexFunc(c.Parts, func(p Shape) bool { return p.Name == strings.TrimPrefix(m.Type, arrayOf) })
			if i < 0 || slices.ContainsFunc(out, func(p Shape) bool { return p.Name == c.Parts[i].Name }) {
				continue
			}
			out, todo = append(out, c.Parts[i]), append(todo, c.Parts[i])
		}
	}
	return out
}

const arrayOf = "array of "

const head = `# What the log holds

Every type of event that this software reads, printed by ` + "`counterfoil catalog --output markdown`" + `. Types end in their version; a type never changes but for new optional members, and what was ever written is read for ever.

An event is stored as its stream, its revision in it, its id, its type, the fact (here below), the envelope's [meta](#meta) and, for some, a sealed part. Members are written in this order, in compact JSON, and read strictly: what is not here is refused. Optional members are absent when they are empty. Times are RFC 3339 in UTC with microseconds at most; days belong to the channel's zone.
`

// Markdown writes the catalog as a page.
func (c Catalog) Markdown(w io.Writer) error {
	var b strings.Builder
	b.WriteString(head)
	b.WriteString("\n| type | tells |\n|---|---|\n")
	for _, e := range c.Events {
		fmt.Fprintf(&b, "| [%s](#%s) | %s |\n", e.Name, anchor(e.Name), e.Brief())
	}
	for _, e := range c.Events {
		c.section(&b, e)
	}
	b.WriteString("\n# Parts\n\nWhat facts are made of.\n")
	for _, p := range c.Parts {
		c.section(&b, p)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// anchor is how a page's own links find a heading.
func anchor(name string) string { return strings.ReplaceAll(strings.ToLower(name), ".", "") }

func (c Catalog) section(b *strings.Builder, s Shape) {
	fmt.Fprintf(b, "\n## %s\n\n%s\n", s.Name, sentence(s.Tells))
	if len(s.Members) > 0 {
		b.WriteString("\n| member | type | meaning |\n|---|---|---|\n")
	}
	for _, m := range s.Members {
		typ := m.Type
		if part := strings.TrimPrefix(typ, arrayOf); slices.ContainsFunc(c.Parts, func(p Shape) bool { return p.Name == part }) {
			typ = strings.TrimSuffix(typ, part) + "[" + part + "](#" + anchor(part) + ")"
		}
		if m.Optional {
			typ += ", optional"
		}
		fmt.Fprintf(b, "| %s | %s | %s |\n", m.Name, typ, strings.ReplaceAll(m.Says(), "|", "\\|"))
	}
	if s.Example != "" {
		fmt.Fprintf(b, "\n```json\n%s\n```\n", s.Example)
	}
}

// Says is the meaning with the words that may stand there.
func (m Member) Says() string {
	if len(m.OneOf) == 0 {
		return m.Meaning
	}
	return m.Meaning + ": " + strings.Join(m.OneOf, ", ")
}

// Brief is the first sentence of what s tells.
func (s Shape) Brief() string {
	brief, _, _ := strings.Cut(s.Tells, ". ")
	return brief
}

func sentence(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:] + "."
}
