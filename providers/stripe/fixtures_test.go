package stripe

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/internal/strictjson"
	"counterfoil/providers"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

// fixture is one recorded request: testdata/*.txtar, with the settings of the
// channel, the raw request, what must come of it and the answer.
type fixture struct {
	channel Config
	arrived time.Time
	request providers.Request
	notices []noticeText
	refusal *refusalText
	outcome domain.Outcome
	reply   string
}

type channelText struct {
	Secrets     []string `json:"secrets"`
	Live        bool     `json:"live"`
	Account     string   `json:"account"`
	AccountFrom string   `json:"account_from"`
}

type noticeText struct {
	About          domain.About     `json:"about"`
	OrderNo        string           `json:"order_no"`
	TradeNo        string           `json:"trade_no"`
	Amount         string           `json:"amount"`
	Status         domain.Status    `json:"status"`
	ProviderStatus string           `json:"provider_status"`
	OccurredAt     *time.Time       `json:"occurred_at"`
	Doubts         []domain.Doubt   `json:"doubts"`
	RefundID       string           `json:"refund_id,omitempty"`
	RefundNo       string           `json:"refund_no,omitempty"`
	Total          bool             `json:"total,omitempty"`
	DisputeID      string           `json:"dispute_id,omitempty"`
	Fee            string           `json:"fee,omitempty"`
	Account        domain.AccountID `json:"account,omitempty"`
}

type refusalText struct {
	Reason  domain.Reason `json:"reason"`
	OrderNo string        `json:"order_no"`
}

func TestFixtures(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) < 100 {
		t.Fatalf("%d fixtures, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			f := loadFixture(t, file)
			c := newChannel(t, f.channel)
			f.checkRead(t, c)
			if got := c.Reply(f.outcome); fmt.Sprintf("%d %s\n%s\n", got.Status, got.ContentType, got.Body) != f.reply {
				t.Errorf("Reply(%s) = %+v, want %q", f.outcome, got, f.reply)
			}
		})
	}
}

func (f fixture) checkRead(t *testing.T, c *Channel) {
	t.Helper()
	got, refusal, err := c.Read(f.request)
	if f.refusal != nil {
		if err == nil || (refusalText{refusal.Reason, refusal.OrderNo}) != *f.refusal || f.outcome != domain.OutcomeRefused {
			t.Errorf("read as %+v, refusal %+v, %v; want %+v", got.Notices, refusal, err, *f.refusal)
		}
		return
	}
	if err != nil {
		t.Fatalf("refused with %s: %v", refusal.Reason, err)
	}
	if diff := cmp.Diff(f.notices, texts(got.Notices)); diff != "" {
		t.Errorf("notices (-want +got):\n%s", diff)
	}
	again, err := c.Reverify(got.Evidence)
	if diff := cmp.Diff(f.notices, texts(again)); diff != "" || err != nil {
		t.Errorf("notices from the evidence, %v (-want +got):\n%s", err, diff)
	}
	// A doubt or a status without money never goes with a credit.
	if f.outcome == domain.OutcomeCredited && (len(f.notices[0].Doubts) > 0 || f.notices[0].Status != domain.StatusPaid) {
		t.Error("the fixture credits what may not be credited")
	}
}

func texts(notices []domain.Notice) []noticeText {
	var out []noticeText
	for _, n := range notices {
		text := noticeText{
			About: n.About, OrderNo: n.OrderNo, TradeNo: n.TradeNo, Amount: n.Amount.String(), Status: n.Status,
			ProviderStatus: n.ProviderStatus, Doubts: n.Doubts, RefundID: n.RefundID, RefundNo: n.RefundNo, Total: n.Total,
			DisputeID: n.DisputeID, Account: n.Account,
		}
		if !n.Fee.IsZero() {
			text.Fee = n.Fee.String()
		}
		if !n.OccurredAt.IsZero() {
			text.OccurredAt = &n.OccurredAt
		}
		out = append(out, text)
	}
	return out
}

func loadFixture(t *testing.T, file string) fixture {
	t.Helper()
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var f fixture
	for _, part := range archive.Files {
		switch part.Name {
		case "channel.json":
			var text channelText
			mustJSON(t, part.Data, &text)
			f.channel = text.config()
		case "arrived":
			if f.arrived, err = time.Parse(time.RFC3339, strings.TrimSpace(string(part.Data))); err != nil {
				t.Fatal(err)
			}
		case "request":
			f.request = rawRequest(t, part.Data)
		case "notices.json":
			mustJSON(t, part.Data, &f.notices)
		case "refusal.json":
			mustJSON(t, part.Data, &f.refusal)
		case "outcome":
			f.outcome = domain.Outcome(strings.TrimSpace(string(part.Data)))
		case "reply":
			f.reply = string(part.Data)
		default:
			t.Fatalf("unknown part %s", part.Name)
		}
	}
	f.request.ReceivedAt = f.arrived
	if f.request.Method == "" || f.arrived.IsZero() || f.outcome == "" || f.reply == "" || (f.notices == nil) == (f.refusal == nil) {
		t.Fatal("the fixture has gaps")
	}
	return f
}

func mustJSON(t *testing.T, data []byte, into any) {
	t.Helper()
	if err := strictjson.UnmarshalKnown(data, into); err != nil {
		t.Fatal(err)
	}
}

func (c channelText) config() Config {
	return Config{
		Channel: "stripe", APIKey: providers.NewSecret(sampleKey), Secrets: secrets(c.Secrets...), Live: c.Live,
		Account: c.Account, AccountFrom: c.AccountFrom, Ledger: testLedger,
	}
}

// rawRequest reads an HTTP/1.1 request as it stands on the wire, but for line
// ends in the head: the file has plain ones, and one behind the body.
func rawRequest(t *testing.T, data []byte) providers.Request {
	t.Helper()
	head, body, _ := bytes.Cut(data, []byte("\n\n"))
	wire := append(bytes.ReplaceAll(head, []byte("\n"), []byte("\r\n")), "\r\n\r\n"...)
	wire = append(wire, bytes.TrimSuffix(body, []byte("\n"))...)
	r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(wire)))
	if err != nil {
		t.Fatal(err)
	}
	read, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return providers.Request{
		Method: r.Method, Target: r.RequestURI, RawQuery: r.URL.RawQuery, Header: r.Header, Body: read,
		Remote: "3.18.12.63:40000", Delivery: testDelivery,
	}
}
