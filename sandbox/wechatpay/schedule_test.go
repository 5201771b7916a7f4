package wechatpay

import (
	"testing"
	"time"

	"counterfoil/sandbox/stage"
)

// The sum is the provider's own: 15 repetitions in 24 h 4 min.
func TestScheduleIsTheProviders(t *testing.T) {
	t.Parallel()
	if len(schedule) != 16 || schedule[1] != 15*time.Second || schedule[15] != 86_640*time.Second {
		t.Errorf("%d attempts, the last after %s", len(schedule), schedule[len(schedule)-1])
	}
}

// What counts as an acknowledgement decides whether a payment is told again.
func TestAcknowledgements(t *testing.T) {
	t.Parallel()
	for status, accepted := range map[int]bool{200: true, 204: true, 201: false, 202: false, 302: false, 400: false, 500: false, 0: false} {
		if acceptedV3(stage.Answer{Status: status, Body: `{"code":"FAIL"}`}) != accepted {
			t.Errorf("v3: %d", status)
		}
	}
	const ack = "<xml><return_code><![CDATA[SUCCESS]]></return_code><return_msg><![CDATA[OK]]></return_msg></xml>"
	for body, accepted := range map[string]bool{
		ack: true, "<xml><return_code>SUCCESS</return_code></xml>": true, "": false, "success": false, `{"code":"SUCCESS"}`: false,
		ack + "\n": false, "\xef\xbb\xbf" + ack: false, `<?xml version="1.0"?>` + ack: false,
		"<xml>\n<return_code>SUCCESS</return_code></xml>": false, "<xml><return_code><![CDATA[FAIL]]></return_code></xml>": false, "<html></html>": false,
	} {
		if acceptedV2(stage.Answer{Status: 200, Body: body}) != accepted {
			t.Errorf("v2: %q", body)
		}
	}
	if acceptedV2(stage.Answer{Status: 500, Body: ack}) {
		t.Error("v2 takes a 500")
	}
}
