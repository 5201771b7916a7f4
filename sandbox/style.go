package sandbox

import (
	"net/http"
	"strings"
	"time"

	"counterfoil/domain"
)

// Style names a server whose wire habits a merchant's gateway has. Servers
// that call themselves Epay differ in how they write an amount, which answer
// they take for delivered and what they do to text.
type Style string

// The known styles. Rainbow is the de facto server, in a recent and in a
// widely copied older build; the others are gateways that speak its protocol.
const (
	Rainbow     Style = "rainbow"      // 7.3; any body that contains success
	Rainbow2020 Style = "rainbow-2020" // 7.30; follows redirects, waits 30 s
	Credit      Style = "credit"       // 7.30; 200 and exactly success; no sign_type
	Epusdt      Style = "epusdt"       // 7.3000; 200 and exactly ok or success
	Bepusdt     Style = "bepusdt"      // 7.3; 200 and contains success; no sign_type
)

// habits is what a style does.
type habits struct {
	amount        func(domain.Money) string
	accepts       func(status int, body string) bool
	retries       []time.Duration // waiting time of each attempt after the first one
	timeout       time.Duration
	redirects     bool // follows them
	signType      bool // callbacks carry sign_type under MD5
	alwaysAsk     bool // appends "?" even to an address that has one
	escapes       bool // runs addslashes and htmlspecialchars over texts
	trims         bool // leaves values of only white space out of the signed text
	notFound      int  // HTTP status for an unknown order in a V1 query
	refundCode    int  // code of a V1 refund that succeeded
	partialRefund bool
}

// rainbowRetries is when Rainbow's cron job comes around to an order: about
// 1, 3, 19 and 55 minutes after the first attempt. Then it gives up.
var rainbowRetries = []time.Duration{0, 1 * time.Minute, 3 * time.Minute, 19 * time.Minute, 55 * time.Minute}

// bepusdtRetries is 2^n minutes, ten times.
var bepusdtRetries = []time.Duration{
	0, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute, 16 * time.Minute, 32 * time.Minute,
	64 * time.Minute, 128 * time.Minute, 256 * time.Minute, 512 * time.Minute, 1024 * time.Minute,
}

var styles = map[Style]habits{
	Rainbow: {
		amount: shortest, accepts: containsSuccess, retries: rainbowRetries, timeout: 5 * time.Second,
		signType: true, escapes: true, trims: true, notFound: http.StatusOK, partialRefund: true,
	},
	Rainbow2020: {
		amount: twoPlaces, accepts: containsSuccess, retries: rainbowRetries, timeout: 30 * time.Second,
		redirects: true, signType: true, escapes: true, notFound: http.StatusOK, refundCode: 1, partialRefund: true,
	},
	Credit: {
		amount: twoPlaces, accepts: exactly("success"), retries: rainbowRetries, timeout: 5 * time.Second,
		notFound: http.StatusNotFound, refundCode: 1,
	},
	Epusdt: {
		amount: fourPlaces, accepts: exactly("ok", "success"), retries: rainbowRetries, timeout: 5 * time.Second,
		signType: true, notFound: http.StatusOK, refundCode: 1,
	},
	Bepusdt: {
		amount: shortest, accepts: okContainsSuccess, retries: bepusdtRetries, timeout: 5 * time.Second,
		alwaysAsk: true, notFound: http.StatusOK, refundCode: 1,
	},
}

// Styles lists every style.
func Styles() []Style { return []Style{Rainbow, Rainbow2020, Credit, Epusdt, Bepusdt} }

// shortest is an amount as PHP prints a float: 7.3, 1, 0.01.
func shortest(m domain.Money) string {
	whole, fraction, _ := strings.Cut(m.Amount(), ".")
	fraction = strings.TrimRight(fraction, "0")
	if fraction == "" {
		return whole
	}
	return whole + "." + fraction
}

func twoPlaces(m domain.Money) string  { return m.Amount() }
func fourPlaces(m domain.Money) string { return m.Amount() + "00" }

// containsSuccess is Rainbow's rule: the word anywhere in the body, in one of
// three spellings; the status is not looked at.
func containsSuccess(_ int, body string) bool {
	return strings.Contains(body, "success") || strings.Contains(body, "SUCCESS") || strings.Contains(body, "Success")
}

func okContainsSuccess(status int, body string) bool {
	return status == http.StatusOK && strings.Contains(strings.ToLower(body), "success")
}

// exactly accepts 200 with one of the words and nothing else but white space.
func exactly(words ...string) func(int, string) bool {
	return func(status int, body string) bool {
		body = strings.ToLower(strings.TrimSpace(body))
		for _, w := range words {
			if status == http.StatusOK && body == w {
				return true
			}
		}
		return false
	}
}
