package wechatpay

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strconv"
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
	channel  Config
	request  providers.Request
	notices  []noticeText
	refusal  *refusalText
	outcome  domain.Outcome
	reply    string
	received time.Duration // behind the time of the signature
}

// channelText is what of a channel differs from the kit's.
type channelText struct {
	Protocol    string `json:"protocol"`
	SignType    string `json:"sign_type,omitempty"`
	SubMchID    string `json:"sub_mchid,omitempty"`
	PublicKey   bool   `json:"public_key,omitempty"` // the platform's key as a public key instead of a certificate
	WithoutKeys bool   `json:"without_api_key,omitempty"`
}

type noticeText struct {
	About          domain.About     `json:"about,omitempty"`
	OrderNo        string           `json:"order_no"`
	TradeNo        string           `json:"trade_no"`
	RefundID       string           `json:"refund_id,omitempty"`
	RefundNo       string           `json:"refund_no,omitempty"`
	Amount         string           `json:"amount"`
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
	if err != nil || len(files) < 40 {
		t.Fatalf("%d fixtures, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			f := loadFixture(t, file)
			c := newChannel(t, f.channel)
			f.checkRead(t, c)
			if got := c.Reply(f.outcome); replyText(got) != f.reply {
				t.Errorf("Reply(%s) = %+v, want %q", f.outcome, got, f.reply)
			}
		})
	}
}

func replyText(r domain.Reply) string {
	return fmt.Sprintf("%d %s\n%s\n", r.Status, r.ContentType, r.Body)
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
			About: n.About, OrderNo: n.OrderNo, TradeNo: n.TradeNo, RefundID: n.RefundID, RefundNo: n.RefundNo,
			Amount: n.Amount.String(), Status: n.Status, ProviderStatus: n.ProviderStatus, Account: n.Account, Doubts: n.Doubts,
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
	f := fixture{received: 2 * time.Second}
	for _, part := range archive.Files {
		text := strings.TrimSpace(string(part.Data))
		switch part.Name {
		case "channel.json":
			var c channelText
			mustJSON(t, part.Data, &c)
			f.channel = c.config()
		case "request":
			f.request = rawRequest(t, part.Data)
		case "notices.json":
			mustJSON(t, part.Data, &f.notices)
		case "refusal.json":
			mustJSON(t, part.Data, &f.refusal)
		case "outcome":
			f.outcome = domain.Outcome(text)
		case "reply":
			f.reply = string(part.Data)
		case "received":
			if f.received, err = time.ParseDuration(text); err != nil {
				t.Fatal(err)
			}
		default:
			t.Fatalf("unknown part %s", part.Name)
		}
	}
	if f.request.Method == "" || f.outcome == "" || f.reply == "" || (f.notices == nil) == (f.refusal == nil) {
		t.Fatal("the fixture has gaps")
	}
	f.request.ReceivedAt = signedAt(f.request).Add(f.received)
	return f
}

// signedAt is the time that a v3 signature names.
func signedAt(r providers.Request) time.Time {
	seconds, err := strconv.ParseInt(r.Header.Get(HeaderTimestamp), 10, 64)
	if err != nil {
		return testNow
	}
	return time.Unix(seconds, 0)
}

func mustJSON(t *testing.T, data []byte, into any) {
	t.Helper()
	if err := strictjson.UnmarshalKnown(data, into); err != nil {
		t.Fatal(err)
	}
}

func (c channelText) config() Config {
	if c.Protocol == V2 {
		cfg := configV2()
		cfg.SignType = c.SignType
		return cfg
	}
	cfg := configV3()
	cfg.SubMchID = c.SubMchID
	if c.PublicKey {
		cfg.PlatformKeys = []PlatformKey{{ID: publicKeyID, PEM: publicPEM(platformKeyOnce())}}
	}
	if c.WithoutKeys {
		cfg.APIKey = providers.Secret{}
	}
	return cfg
}

// rawRequest reads an HTTP/1.1 request as it stands on the wire, but for line
// ends: the file has plain ones, and one behind the body.
func rawRequest(t *testing.T, data []byte) providers.Request {
	t.Helper()
	head, body, _ := bytes.Cut(data, []byte("\n\n"))
	body = bytes.TrimSuffix(body, []byte("\n"))
	head = append(bytes.ReplaceAll(head, []byte("\n"), []byte("\r\n")), fmt.Sprintf("\r\nContent-Length: %d\r\n\r\n", len(body))...)
	r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(append(head, body...))))
	if err != nil {
		t.Fatal(err)
	}
	read, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return providers.Request{
		Method: r.Method, Target: r.RequestURI, RawQuery: r.URL.RawQuery, Header: r.Header, Body: read,
		Remote: "203.0.113.9:40000", Delivery: testDelivery,
	}
}
