package alipay

import (
	"strings"
	"testing"

	"counterfoil/domain"
	"counterfoil/internal/strictjson"
	"counterfoil/providers"
)

// TestVectorNotice holds the notice's text, signature and meaning against the
// published ones.
func TestVectorNotice(t *testing.T) {
	t.Parallel()
	v := vectors(t)
	fields, err := scan(v["notice.body"], nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := NoticeText(fields); got != v["notice.text"] || len(got) != 595 {
		t.Errorf("text of %d bytes:\n%s", len(got), got)
	}
	if sign, err := Sign(v["notice.text"], platformKey()); err != nil || sign != v["notice.sign"] {
		t.Errorf("signature %s, %v", sign, err)
	}
	if fields.Value("sign") != v["notice.sign"] || !Verify(v["notice.text"], v["notice.sign"], &platformKey().PublicKey) {
		t.Error("the published signature does not hold")
	}
	read, _, err := newChannel(t, testConfig()).Read(post(v["notice.body"]))
	if err != nil || len(read.Notices) != 1 || !providers.SameContent(read.Notices[0], paidNotice()) {
		t.Errorf("read as %+v, %v", read.Notices, err)
	}
}

func TestVectorRequest(t *testing.T) {
	t.Parallel()
	v := vectors(t)
	fields, err := newChannel(t, testConfig()).request("alipay.trade.query", `{"out_trade_no":"20260214100000001"}`, testNow)
	if err != nil {
		t.Fatal(err)
	}
	if got := RequestText(fields); got != v["request.text"] {
		t.Errorf("text %s", got)
	}
	if got := fields.Value("sign"); got != v["request.sign"] {
		t.Errorf("signature %s", got)
	}
}

func TestVectorAnswer(t *testing.T) {
	t.Parallel()
	v := vectors(t)
	c := newChannel(t, testConfig())
	s, err := c.readAnswer(response{status: 200, body: []byte(v["answer"])}, methodQuery, asked{orderNo: "20260214100000001"})
	want := paidNotice()
	want.Source = domain.SourceQuery
	if err != nil || len(s.notices) != 1 || !providers.SameContent(s.notices[0], want) {
		t.Errorf("read as %+v, %v", s.notices, err)
	}
	outer, err := strictjson.Object([]byte(v["answer"]))
	if err != nil {
		t.Fatal(err)
	}
	sign, _ := outer.String("sign")
	if again, err := Sign(string(outer.Value("alipay_trade_query_response")), platformKey()); err != nil || again != sign {
		t.Errorf("signature %s, %v", again, err)
	}
	spaced := strings.Replace(v["answer"], `"msg":"Success"`, `"msg": "Success"`, 1)
	if _, err := c.readAnswer(response{status: 200, body: []byte(spaced)}, methodQuery, asked{}); domain.KindOf(err) != domain.KindUnavailable {
		t.Errorf("a changed answer: %v", err)
	}
}
