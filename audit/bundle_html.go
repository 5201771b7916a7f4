package audit

import (
	"bytes"
	_ "embed"
	"html/template"
	"slices"

	"counterfoil/domain"
	"counterfoil/tamperlog"
)

//go:embed summary.html.tmpl
var summaryText string

var summaryPage = template.Must(template.New("summary").Parse(summaryText))

// summaryPayment is a payment as people read it.
type summaryPayment struct {
	Stream string
	Lines  []summaryLine
}

type summaryLine struct {
	Index    uint64
	Recorded string
	Type     string
	Actor    string
	Says     string
	Grade    domain.Grade
}

type summaryData struct {
	Subject    Subject
	Ledger     string
	Mode       domain.Mode
	MadeAt     string
	Software   string
	Size       uint64
	Root       string
	Key        string
	Events     int
	Grades     []GradeTotal
	Payments   []summaryPayment
	Openings   []summaryPayment
	Draws      []summaryPayment
	Settings   []summaryPayment
	Checkpoint string
}

// summarized is what a summary is made of: all of it stands in the bundle.
type summarized struct {
	manifest manifest
	head     tamperlog.Signed
	key      string
	events   []bundled
	describe func(domain.Fact) string // nil leaves the words out
}

// page is the page for people: what happened, and how to check it.
func (s summarized) page() ([]byte, error) {
	m := s.manifest
	d := summaryData{
		Subject: m.Subject, Ledger: m.Ledger, Mode: m.Mode,
		MadeAt: m.MadeAt.UTC().Format(stamp), Software: m.Software, Size: s.head.Size, Root: s.head.Hex(), Key: s.key,
		Events: len(s.events), Checkpoint: string(s.head.Note), Grades: s.grades(),
	}
	at := map[domain.Stream]*summaryPayment{}
	var order []domain.Stream
	for _, e := range s.events {
		p := at[e.Stream]
		if p == nil {
			p = &summaryPayment{Stream: string(e.Stream)}
			at[e.Stream] = p
			order = append(order, e.Stream)
		}
		l := summaryLine{
			Index: e.index, Recorded: e.entry.Meta.RecordedAt.UTC().Format(stamp), Type: e.Type, Actor: e.entry.Meta.Actor,
		}
		if s.describe != nil {
			l.Says = s.describe(e.entry.Fact)
		}
		if f, ok := e.entry.Fact.(domain.PaymentNotified); ok {
			l.Grade = f.Evidence.Grade
		}
		p.Lines = append(p.Lines, l)
	}
	for _, stream := range order {
		switch stream.Category() {
		case "payment":
			d.Payments = append(d.Payments, *at[stream])
		case "opening":
			d.Openings = append(d.Openings, *at[stream])
		case "draw":
			d.Draws = append(d.Draws, *at[stream])
		default:
			d.Settings = append(d.Settings, *at[stream])
		}
	}
	var out bytes.Buffer
	err := summaryPage.Execute(&out, d)
	return out.Bytes(), err
}

// grades are the totals of money by the grade of the notice it followed.
func (s summarized) grades() []GradeTotal {
	all, last := grades{}, map[domain.Stream]domain.Grade{}
	for _, e := range s.events {
		if f, ok := e.entry.Fact.(domain.PaymentNotified); ok {
			last[e.Stream] = f.Evidence.Grade
			all.of(f.Evidence.Grade).Notices++
		}
		if m, ok := received(e.entry.Fact); ok {
			all.of(last[e.Stream]).add(m)
		}
	}
	return slices.Clip(all.list())
}
