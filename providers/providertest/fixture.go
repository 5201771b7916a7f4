package providertest

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/internal/strictjson"
	"counterfoil/providers"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

// Fixtures are the recorded requests of a provider, testdata/*.txtar. Each has
// a comment, which says why it is there, and the parts
//
//	channel.json   what of the channel's settings matters, in the provider's own form
//	arrived        when it came, RFC 3339; absent, Arrived says so
//	request        the raw HTTP/1.1 request, with plain line ends in its head
//	notices.json   what it says, or
//	refusal.json   why it is refused and which order it claims
//	outcome        what becomes of it in an open order of that amount
//	reply          the exact answer: status and content type, a line end, the body
type Fixtures struct {
	Least    int      // so many there must be: an empty folder would pass any test
	Except   []string // files of the folder that are no requests
	Remote   string   // who sent them
	Delivery domain.ID
	Channel  func(t *testing.T, settings []byte) providers.Channel
	Arrived  func(providers.Request) time.Time
}

// RunFixtures reads every recorded request with the channel that its settings
// make, twice (again from the evidence it left), and compares notices, refusal
// and reply with what was recorded.
func RunFixtures(t *testing.T, f Fixtures) {
	t.Helper()
	files, err := filepath.Glob("testdata/*.txtar")
	files = slices.DeleteFunc(files, func(name string) bool { return slices.Contains(f.Except, filepath.Base(name)) })
	if err != nil || len(files) < f.Least {
		t.Fatalf("%d fixtures, want %d: %v", len(files), f.Least, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			f.load(t, file).check(t)
		})
	}
}

// fixture is one recorded request.
type fixture struct {
	channel providers.Channel
	request providers.Request
	notices []said
	refusal *claimed
	outcome domain.Outcome
	reply   string
}

// said is the content of a notice as a fixture writes it.
type said struct {
	About          domain.About     `json:"about,omitempty"`
	OrderNo        string           `json:"order_no"`
	TradeNo        string           `json:"trade_no"`
	Amount         string           `json:"amount"`
	Total          bool             `json:"total,omitempty"`
	RefundID       string           `json:"refund_id,omitempty"`
	RefundNo       string           `json:"refund_no,omitempty"`
	DisputeID      string           `json:"dispute_id,omitempty"`
	Fee            string           `json:"fee,omitempty"`
	Status         domain.Status    `json:"status"`
	ProviderStatus string           `json:"provider_status"`
	OccurredAt     *time.Time       `json:"occurred_at,omitempty"`
	Account        domain.AccountID `json:"account,omitempty"`
	Doubts         []domain.Doubt   `json:"doubts,omitempty"`
}

// claimed is a refusal as a fixture writes it.
type claimed struct {
	Reason  domain.Reason `json:"reason"`
	OrderNo string        `json:"order_no"`
}

func (f Fixtures) load(t *testing.T, file string) (x fixture) {
	t.Helper()
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range archive.Files {
		text := strings.TrimSpace(string(part.Data))
		switch part.Name {
		case "channel.json":
			x.channel = f.Channel(t, part.Data)
		case "arrived":
			x.request.ReceivedAt, err = time.Parse(time.RFC3339, text)
		case "request":
			x.request, err = f.parse(part.Data, x.request.ReceivedAt)
		case "notices.json":
			err = strictjson.UnmarshalKnown(part.Data, &x.notices)
		case "refusal.json":
			err = strictjson.UnmarshalKnown(part.Data, &x.refusal)
		case "outcome":
			x.outcome = domain.Outcome(text)
		case "reply":
			x.reply = string(part.Data)
		default:
			t.Fatalf("unknown part %s", part.Name)
		}
		if err != nil {
			t.Fatalf("%s: %v", part.Name, err)
		}
	}
	if x.channel == nil || x.request.Method == "" || x.outcome == "" || x.reply == "" || (x.notices == nil) == (x.refusal == nil) {
		t.Fatal("the fixture has gaps")
	}
	return x
}

// parse reads a request as it stands on the wire, but for the line ends of its
// head and one behind its body.
func (f Fixtures) parse(data []byte, arrived time.Time) (providers.Request, error) {
	head, body, _ := bytes.Cut(data, []byte("\n\n"))
	head = bytes.ReplaceAll(bytes.TrimRight(head, "\n"), []byte("\n"), []byte("\r\n"))
	body = bytes.TrimSuffix(body, []byte("\n"))
	if !bytes.Contains(head, []byte("\nContent-Length:")) {
		head = fmt.Appendf(head, "\r\nContent-Length: %d", len(body))
	}
	r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(slices.Concat(head, []byte("\r\n\r\n"), body))))
	if err != nil {
		return providers.Request{}, err
	}
	read, err := io.ReadAll(r.Body)
	in := providers.Request{
		Method: r.Method, Target: r.RequestURI, RawQuery: r.URL.RawQuery, Header: r.Header, Body: read,
		Remote: f.Remote, Delivery: f.Delivery, ReceivedAt: arrived,
	}
	if arrived.IsZero() {
		in.ReceivedAt = f.Arrived(in)
	}
	return in, err
}

func (x fixture) check(t *testing.T) {
	t.Helper()
	read, refusal, err := x.channel.Read(x.request)
	switch {
	case x.refusal != nil && (err == nil || claimed{refusal.Reason, refusal.OrderNo} != *x.refusal || x.outcome != domain.OutcomeRefused):
		t.Errorf("read as %+v, refusal %+v, %v; want %+v", read.Notices, refusal, err, *x.refusal)
	case x.refusal == nil && err != nil:
		t.Errorf("refused with %s: %v", refusal.Reason, err)
	case x.refusal == nil:
		x.checkRead(t, read)
	}
	got := x.channel.Reply(x.outcome)
	if text := fmt.Sprintf("%d %s\n%s\n", got.Status, got.ContentType, got.Body); text != x.reply {
		t.Errorf("Reply(%s) = %q, want %q", x.outcome, text, x.reply)
	}
}

func (x fixture) checkRead(t *testing.T, read providers.Read) {
	t.Helper()
	if diff := cmp.Diff(x.notices, contents(read.Notices)); diff != "" {
		t.Errorf("notices (-want +got):\n%s", diff)
	}
	again, err := x.channel.Reverify(read.Evidence)
	if diff := cmp.Diff(x.notices, contents(again)); diff != "" || err != nil {
		t.Errorf("notices from the evidence, %v (-want +got):\n%s", err, diff)
	}
	// A doubt or a status without money never goes with a credit.
	if x.outcome == domain.OutcomeCredited && (len(x.notices[0].Doubts) > 0 || x.notices[0].Status != domain.StatusPaid) {
		t.Error("the fixture credits what may not be credited")
	}
}

func contents(notices []domain.Notice) []said {
	var out []said
	for _, n := range notices {
		s := said{
			About: n.About, OrderNo: n.OrderNo, TradeNo: n.TradeNo, Amount: n.Amount.String(), Total: n.Total,
			RefundID: n.RefundID, RefundNo: n.RefundNo, DisputeID: n.DisputeID, Status: n.Status,
			ProviderStatus: n.ProviderStatus, Account: n.Account, Doubts: n.Doubts,
		}
		if !n.Fee.IsZero() {
			s.Fee = n.Fee.String()
		}
		if !n.OccurredAt.IsZero() {
			s.OccurredAt = &n.OccurredAt
		}
		out = append(out, s)
	}
	return out
}
