package audit

import (
	"bytes"
	_ "embed"
	"html/template"
	"slices"

	"counterfoil/domain"
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

// summary is the page for people: what happened, and how to check it.
func (b *bundleWriter) summary(key string) ([]byte, error) {
	d := summaryData{
		Subject: b.o.Subject, Ledger: b.deps.Ledger.ID().String(), Mode: b.deps.Ledger.Mode(),
		MadeAt: b.deps.Now.UTC().Format(stamp), Software: b.deps.Software, Size: b.head.Size, Root: b.head.Hex(), Key: key,
		Events: len(b.events), Checkpoint: string(b.head.Note), Grades: b.grades(),
	}
	at := map[domain.Stream]*summaryPayment{}
	var order []domain.Stream
	for _, e := range b.events {
		p := at[e.Stream]
		if p == nil {
			p = &summaryPayment{Stream: string(e.Stream)}
			at[e.Stream] = p
			order = append(order, e.Stream)
		}
		l := summaryLine{
			Index: e.index, Recorded: e.entry.Meta.RecordedAt.UTC().Format(stamp), Type: e.Type, Actor: e.entry.Meta.Actor,
		}
		if b.deps.Describe != nil {
			l.Says = b.deps.Describe(e.entry.Fact)
		}
		if f, ok := e.entry.Fact.(domain.PaymentNotified); ok {
			l.Grade = f.Evidence.Grade
		}
		p.Lines = append(p.Lines, l)
	}
	for _, s := range order {
		switch s.Category() {
		case "payment":
			d.Payments = append(d.Payments, *at[s])
		case "opening":
			d.Openings = append(d.Openings, *at[s])
		case "draw":
			d.Draws = append(d.Draws, *at[s])
		default:
			d.Settings = append(d.Settings, *at[s])
		}
	}
	var out bytes.Buffer
	err := summaryPage.Execute(&out, d)
	return out.Bytes(), err
}

// grades are the totals of money by the grade of the notice it followed.
func (b *bundleWriter) grades() []GradeTotal {
	all, last := grades{}, map[domain.Stream]domain.Grade{}
	for _, e := range b.events {
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
