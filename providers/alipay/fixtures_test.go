package alipay

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

// fixture is one recorded notice: testdata/*.txtar, with the settings of the
// channel, the raw request, what must come of it and the answer.
type fixture struct {
	channel Config
	request providers.Request
	notices []noticeText
	refusal *refusalText
	outcome domain.Outcome
	reply   string
}

type channelText struct {
	AppID     string `json:"app_id"`
	SellerID  string `json:"seller_id"`
	AlipayKey string `json:"alipay_key"`
}

type noticeText struct {
	About          domain.About     `json:"about,omitempty"`
	OrderNo        string           `json:"order_no"`
	TradeNo        string           `json:"trade_no"`
	Amount         string           `json:"amount"`
	Total          bool             `json:"total,omitempty"`
	RefundNo       string           `json:"refund_no,omitempty"`
	Status         domain.Status    `json:"status"`
	ProviderStatus string           `json:"provider_status"`
	OccurredAt     *time.Time       `json:"occurred_at,omitempty"`
	Account        domain.AccountID `json:"account,omitempty"`
	Doubts         []domain.Doubt   `json:"doubts,omitempty"`
}

type refusalText struct {
	Reason  domain.Reason `json:"reason"`
	OrderNo string        `json:"order_no"`
}

func TestFixtures(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) < 44 {
		t.Fatalf("%d fixtures, %v", len(files), err)
	}
	for _, file := range files {
		if filepath.Base(file) == "vectors.txtar" {
			continue
		}
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
	if diff := cmp.Diff(f.notices, saidTexts(got.Notices)); diff != "" {
		t.Errorf("notices (-want +got):\n%s", diff)
	}
	again, err := c.Reverify(got.Evidence)
	if diff := cmp.Diff(f.notices, saidTexts(again)); diff != "" || err != nil {
		t.Errorf("notices from the evidence, %v (-want +got):\n%s", err, diff)
	}
	// A doubt or a status without money never goes with a credit.
	if f.outcome == domain.OutcomeCredited && (len(f.notices[0].Doubts) > 0 || f.notices[0].Status != domain.StatusPaid) {
		t.Error("the fixture credits what may not be credited")
	}
}

func saidTexts(notices []domain.Notice) []noticeText {
	var out []noticeText
	for _, n := range notices {
		text := noticeText{
			About: n.About, OrderNo: n.OrderNo, TradeNo: n.TradeNo, Amount: n.Amount.String(), Total: n.Total, RefundNo: n.RefundNo,
			Status: n.Status, ProviderStatus: n.ProviderStatus, Account: n.Account, Doubts: n.Doubts,
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
	f := fixture{channel: testConfig()}
	for _, part := range archive.Files {
		switch part.Name {
		case "channel.json":
			var text channelText
			mustJSON(t, part.Data, &text)
			f.channel.AppID, f.channel.SellerID, f.channel.AlipayKeys = text.AppID, text.SellerID, []string{text.AlipayKey}
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
	if f.request.Method == "" || f.outcome == "" || f.reply == "" || (f.notices == nil) == (f.refusal == nil) {
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

// rawRequest reads an HTTP/1.1 request as it stands on the wire, but for line
// ends: the file has plain ones, and one behind the body.
func rawRequest(t *testing.T, data []byte) providers.Request {
	t.Helper()
	head, body, _ := bytes.Cut(data, []byte("\n\n"))
	head = append(bytes.ReplaceAll(bytes.TrimRight(head, "\n"), []byte("\n"), []byte("\r\n")), "\r\n\r\n"...)
	wire := append(head, bytes.TrimRight(body, "\n")...)
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
		Remote: "203.0.113.9:40000", ReceivedAt: testNow, Delivery: testDelivery,
	}
}
