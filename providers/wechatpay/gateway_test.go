package wechatpay

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/providers"
)

// reply is one answer of the test's WeChat.
type reply struct {
	status   int
	body     string
	unsigned bool
	age      time.Duration // of the signature
	header   http.Header
}

// gateway is a WeChat that gives prepared answers, by target, and remembers the
// questions.
type gateway struct {
	*httptest.Server
	mu      sync.Mutex
	replies map[string]reply
	asked   []*http.Request
	bodies  []string
}

func newGateway(t *testing.T) *gateway {
	t.Helper()
	g := &gateway{replies: map[string]reply{}}
	g.Server = httptest.NewTLSServer(http.HandlerFunc(g.serve))
	t.Cleanup(g.Close)
	return g
}

func (g *gateway) serve(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	g.mu.Lock()
	g.asked, g.bodies = append(g.asked, r), append(g.bodies, string(body))
	answer, ok := g.replies[r.RequestURI]
	g.mu.Unlock()
	if !ok {
		answer = reply{status: http.StatusTeapot, body: "no answer was prepared for " + r.RequestURI}
	}
	for name, values := range answer.header {
		w.Header()[name] = values
	}
	if !answer.unsigned {
		seconds := strconv.FormatInt(testNow.Add(-answer.age).Unix(), 10)
		sign, err := SignRSA(Message(seconds, "abcdefabcdef", answer.body), platformKeyOnce())
		if err != nil {
			panic(err)
		}
		h := w.Header()
		h.Set(HeaderTimestamp, seconds)
		h.Set(HeaderNonce, "abcdefabcdef")
		h.Set(HeaderSerial, platformSerial)
		h.Set(HeaderSignature, sign)
	}
	if answer.status == 0 {
		answer.status = http.StatusOK
	}
	w.WriteHeader(answer.status)
	io.WriteString(w, answer.body)
}

func (g *gateway) prepare(target string, r reply) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.replies[target] = r
}

func (g *gateway) last(t *testing.T) (*http.Request, string) {
	t.Helper()
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.asked) == 0 {
		t.Fatal("nothing was asked")
	}
	return g.asked[len(g.asked)-1], g.bodies[len(g.bodies)-1]
}

func (g *gateway) questions() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.asked)
}

func (g *gateway) channel(t *testing.T, cfg Config) *Channel {
	t.Helper()
	return g.channelAt(t, cfg, fixedClock)
}

func (g *gateway) channelAt(t *testing.T, cfg Config, clock func() time.Time) *Channel {
	t.Helper()
	cfg.Gateway = g.URL
	c, err := New(cfg, g.Client(), clock)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func question() providers.Question {
	return providers.Question{OrderNo: orderNo, Delivery: testDelivery, Run: "run-1", At: testNow}
}

func wantKind(t *testing.T, err error, kind domain.Kind) {
	t.Helper()
	if err == nil || domain.KindOf(err) != kind {
		t.Errorf("error %v, want kind %s", err, kind)
	}
}
