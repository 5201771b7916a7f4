package sandbox

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"counterfoil/sandbox/stage"
)

func refuse(int, url.Values) (int, string) { return 500, "fail" }

// whens are the times of callbacks after the first.
func whens(came []got) []time.Duration {
	var after []time.Duration
	for _, c := range came {
		after = append(after, c.at.Sub(came[0].at).Round(time.Millisecond))
	}
	return after
}

func TestRetriesFollowTheServersSchedule(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		style Style
		speed float64
		want  []time.Duration
	}{
		"rainbow": {Rainbow, 1, []time.Duration{0, time.Minute, 3 * time.Minute, 19 * time.Minute, 55 * time.Minute}},
		"rainbow, 600 times faster": {Rainbow, 600, []time.Duration{
			0, 100 * time.Millisecond, 300 * time.Millisecond, 1900 * time.Millisecond, 5500 * time.Millisecond,
		}},
		"bepusdt": {Bepusdt, 60, []time.Duration{
			0, 2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second, 32 * time.Second, 64 * time.Second,
			128 * time.Second, 256 * time.Second, 512 * time.Second, 1024 * time.Second,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, Config{Speed: c.speed, Merchants: []MerchantConfig{v1Merchant(c.style)}}, func(t *testing.T, s *Sandbox, h *shop) {
				h.reply = refuse
				o := pay(t, s, opened(t, s, "1001", "A1", "7.30").TradeNo)
				came := h.all()
				if got := whens(came); !slices.Equal(got, c.want) {
					t.Errorf("callbacks at %v, want %v", got, c.want)
				}
				for _, x := range came {
					if x.target != came[0].target {
						t.Errorf("V1 attempts differ: %s and %s", came[0].target, x.target)
					}
				}
				if o, err := s.Order(o.TradeNo); err != nil || o.Accepted || o.Attempts != len(c.want) || o.Trouble == "" {
					t.Errorf("order is %+v, %v", o, err)
				}
			})
		})
	}
}

func TestRetriesEndWithTheFirstAcceptedAnswer(t *testing.T) {
	t.Parallel()
	bubble(t, Config{Merchants: []MerchantConfig{v1Merchant(Rainbow)}}, func(t *testing.T, s *Sandbox, h *shop) {
		h.reply = func(n int, _ url.Values) (int, string) {
			if n < 3 {
				return 500, "fail"
			}
			return 200, "success"
		}
		o := pay(t, s, opened(t, s, "1001", "A1", "7.30").TradeNo)
		if got := whens(h.all()); !slices.Equal(got, []time.Duration{0, time.Minute, 3 * time.Minute}) {
			t.Errorf("callbacks at %v", got)
		}
		attempts := s.Attempts(stage.AttemptFilter{TradeNo: o.TradeNo})
		if len(attempts) != 3 || !attempts[0].Accepted || attempts[0].Body != "success" || attempts[0].Try != 3 ||
			attempts[2].Status != 500 || attempts[2].Body != "fail" || attempts[2].Accepted {
			t.Errorf("attempts %+v", attempts)
		}
	})
}

func TestV2AttemptsAreSignedAnew(t *testing.T) {
	t.Parallel()
	bubble(t, Config{Merchants: []MerchantConfig{v2Merchant()}}, func(t *testing.T, s *Sandbox, h *shop) {
		h.reply = refuse
		pay(t, s, opened(t, s, "2002", "A1", "7.30").TradeNo)
		came := h.all()
		if len(came) != 5 {
			t.Fatalf("%d callbacks", len(came))
		}
		for i, c := range came {
			if !holds(c.form) || c.form.Get("timestamp") != itoa(c.at.Unix()) || c.form.Get("sign_type") != "RSA" ||
				c.form.Get("api_trade_no") == "" || c.form.Get("buyer") == "" {
				t.Errorf("callback %d: %v", i, c.form)
			}
		}
		if came[0].form.Get("sign") == came[1].form.Get("sign") {
			t.Error("two attempts have one sign")
		}
	})
}

// The wire form follows the endpoint that opened the order, not the account.
func TestCallbackFormatFollowsTheEndpoint(t *testing.T) {
	t.Parallel()
	bubble(t, Config{Merchants: []MerchantConfig{v2Merchant()}}, func(t *testing.T, s *Sandbox, h *shop) {
		o, err := s.Open(OpenOrder{PID: "2002", Version: V1, OutTradeNo: "A1", Money: "7.30", NotifyURL: "http://shop.example/n?token=1"})
		if err != nil {
			t.Fatal(err)
		}
		pay(t, s, o.TradeNo)
		came := h.all()
		if len(came) != 1 || came[0].form.Get("sign_type") != "MD5" || came[0].form.Get("timestamp") != "" ||
			!strings.HasPrefix(came[0].target, "/n?token=1&pid=2002&trade_no=") {
			t.Errorf("callbacks %+v", came)
		}
	})
}

func TestStylesOnTheWire(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		style      Style
		money      string
		signType   string
		notify     string
		wantTarget string
	}{
		{Rainbow, "7.3", "MD5", "http://shop.example/n?a=1&b=2", "/n?a=1&amp;b=2&pid="}, // escaped, hence broken
		{Rainbow2020, "7.30", "MD5", "http://shop.example/n", "/n?pid="},
		{Credit, "7.30", "", "http://shop.example/n?a=1", "/n?a=1&pid="},
		{Epusdt, "7.3000", "MD5", "http://shop.example/n", "/n?pid="},
		{Bepusdt, "7.3", "", "http://shop.example/n?a=1", "/n?a=1?pid="},
	} {
		t.Run(string(c.style), func(t *testing.T) {
			t.Parallel()
			bubble(t, Config{Merchants: []MerchantConfig{v1Merchant(c.style)}}, func(t *testing.T, s *Sandbox, h *shop) {
				pay(t, s, openedAt(t, s, "1001", "A1", "7.30", c.notify).TradeNo)
				came := h.all()
				if len(came) != 1 {
					t.Fatalf("%d callbacks", len(came))
				}
				f := came[0].form
				if f.Get("money") != c.money || f.Get("sign_type") != c.signType || !strings.HasPrefix(came[0].target, c.wantTarget) {
					t.Errorf("sent %s", came[0].target)
				}
			})
		})
	}
}

func TestOperatorSwitches(t *testing.T) {
	t.Parallel()
	m := v1Merchant(Rainbow)
	m.HideName, m.PostCallbacks, m.SuspendAfter = true, true, 2
	bubble(t, Config{Merchants: []MerchantConfig{m}}, func(t *testing.T, s *Sandbox, h *shop) {
		h.reply = refuse
		for _, no := range []string{"A1", "A2"} {
			pay(t, s, opened(t, s, "1001", no, "7.30").TradeNo)
		}
		for _, c := range h.all() {
			if c.method != "POST" || c.target != "/notify" || c.form.Get("name") != "product" || !holds(c.form) {
				t.Errorf("sent %+v", c)
			}
		}
		_, err := s.Open(OpenOrder{PID: "1001", OutTradeNo: "A3", Money: "1", NotifyURL: "http://shop.example/n"})
		if err == nil || !strings.Contains(err.Error(), "switched off") {
			t.Errorf("after two orders given up, opening gives %v", err)
		}
	})
}

func TestResendIsOnceAndAnyTime(t *testing.T) {
	t.Parallel()
	bubble(t, Config{Merchants: []MerchantConfig{v1Merchant(Rainbow)}}, func(t *testing.T, s *Sandbox, h *shop) {
		o := opened(t, s, "1001", "A1", "7.30")
		if err := s.Resend(o.TradeNo); err == nil {
			t.Error("an unpaid order was sent again")
		}
		pay(t, s, o.TradeNo, Fault{Class: Lost})
		if n := len(h.all()); n != 0 {
			t.Fatalf("%d callbacks of a lost one", n)
		}
		h.reply = refuse
		if err := s.Resend(o.TradeNo); err != nil {
			t.Fatal(err)
		}
		settle(t, s)
		if n := len(h.all()); n != 1 {
			t.Errorf("%d callbacks after a resend, want 1", n)
		}
	})
}

func TestAdvanceBringsWhatIsDue(t *testing.T) {
	t.Parallel()
	bubble(t, Config{Merchants: []MerchantConfig{v1Merchant(Rainbow)}}, func(t *testing.T, s *Sandbox, h *shop) {
		began := time.Now()
		o := opened(t, s, "1001", "A1", "7.30")
		if _, err := s.PayWith(o.TradeNo, Fault{Class: Late, Delay: Duration(time.Hour)}); err != nil {
			t.Fatal(err)
		}
		if err := s.Advance(2 * time.Hour); err != nil {
			t.Fatal(err)
		}
		settle(t, s)
		if n := len(h.all()); n != 1 || time.Since(began) > time.Second {
			t.Errorf("%d callbacks after %s", n, time.Since(began))
		}
		if books := s.Clock().Books; time.Until(books) < 2*time.Hour-time.Second {
			t.Errorf("books stand at %s", books)
		}
	})
}

func TestStopKeepsWhatIsDue(t *testing.T) {
	t.Parallel()
	bubble(t, Config{Merchants: []MerchantConfig{v1Merchant(Rainbow)}}, func(t *testing.T, s *Sandbox, h *shop) {
		s.Stop()
		s.Stop()
		if _, err := s.PayWith(opened(t, s, "1001", "A1", "7.30").TradeNo); err != nil {
			t.Fatal(err)
		}
		if n := len(h.all()); n != 0 || s.Pending() != 1 {
			t.Fatalf("stopped, and %d callbacks went out, %d pending", n, s.Pending())
		}
		s.Start()
		settle(t, s)
		if n := len(h.all()); n != 1 {
			t.Errorf("%d callbacks after the start", n)
		}
	})
}
