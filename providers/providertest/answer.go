package providertest

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"counterfoil/domain"
	"counterfoil/providers"
)

func testConfig(t *testing.T, h Harness) {
	c := h.Channel.Config()
	if _, err := domain.ParseChannelID(string(c.Channel)); err != nil {
		t.Error(err)
	}
	if c.Provider == "" || c.Protocol == "" || len(c.Merchant) == 0 || !c.Currency.Known() || c.Zone == "" || c.Confirm == "" || c.Funds == "" {
		t.Errorf("the record of the channel has gaps: %+v", c)
	}
	if len(c.PublicKeys)+len(c.Secrets) == 0 {
		t.Error("the record of the channel names no key")
	}
	for _, k := range c.PublicKeys {
		if !strings.HasPrefix(k.Fingerprint, "sha256:") || len(k.DER) == 0 || k.Use == "" || k.Obtained == "" {
			t.Errorf("public key %+v", k)
		}
	}
	for _, k := range c.Secrets {
		if !strings.HasPrefix(k.Fingerprint, "hmac:") || k.Use == "" {
			t.Errorf("mark of a secret %+v", k)
		}
	}
}

func testReplies(t *testing.T, h Harness) {
	for _, o := range domain.Outcomes() {
		want, ok := h.Replies[o]
		if !ok {
			t.Errorf("the harness has no reply for %s", o)
			continue
		}
		if got := h.Channel.Reply(o); got != want {
			t.Errorf("Reply(%s) = %+v, want %+v", o, got, want)
		}
	}
	for _, o := range append(domain.Outcomes(), "", "no such outcome") {
		got := h.Channel.Reply(o)
		if (got.Status/100 == 2) != o.Success() {
			t.Errorf("Reply(%s) has the status %d", o, got.Status)
		}
		if h.SuccessWord != "" && !o.Success() && strings.Contains(strings.ToLower(got.Body), strings.ToLower(h.SuccessWord)) {
			t.Errorf("Reply(%s) has %q in its body: %s", o, h.SuccessWord, got.Body)
		}
	}
}

func testForm(t *testing.T, h Harness) {
	if h.Order.OrderNo == "" {
		t.Skip("the channel signs no orders")
	}
	form, err := h.Channel.Form(h.Order)
	if err != nil {
		t.Fatal(err)
	}
	if form.Action == "" || form.Method == "" || len(form.Fields) == 0 || !strings.HasPrefix(form.URL, form.Action) {
		t.Errorf("form %+v", form)
	}
	for _, r := range []providers.Request{h.Returned(form)} {
		if _, err := refused(h.Channel, r); err != nil {
			t.Errorf("our own form, sent back: %v", err)
		}
	}
	other := h.Order
	other.Amount = domain.Money{}
	if _, err := h.Channel.Form(other); domain.FieldOf(err) == "" {
		t.Errorf("a form over no money: %v", err)
	}
}

// testSecrets looks for the keys in everything that a channel gives away.
func testSecrets(t *testing.T, h Harness) {
	var out strings.Builder
	show := func(v any) {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(b)
		fmt.Fprintf(&out, "%v %+v %#v %s\n", v, v, v, v)
	}
	fmt.Fprintf(&out, "%v %+v %#v %s %q\n", h.Channel, h.Channel, h.Channel, h.Channel, h.Channel)
	logger := slog.New(slog.NewJSONHandler(&out, nil))
	logger.Info("channel", slog.Any("channel", h.Channel), slog.Any("config", h.Channel.Config()))
	show(h.Channel.Config())
	for _, g := range h.Genuine {
		read, _, err := h.Channel.Read(clone(g.Request))
		if err == nil {
			show(read.Evidence)
		}
	}
	for name := range forgeries {
		for _, r := range h.Forged[name] {
			_, refusal, err := h.Channel.Read(clone(r))
			fmt.Fprintf(&out, "%+v %v %+v\n", refusal, err, err)
		}
	}
	for _, o := range domain.Outcomes() {
		show(h.Channel.Reply(o))
	}
	if form, err := h.Channel.Form(h.Order); err == nil {
		show(form)
	}
	for _, secret := range h.Secrets {
		for _, form := range []string{secret, fmt.Sprintf("%x", secret), fmt.Sprintf("%d", []byte(secret))} {
			if strings.Contains(out.String(), form) {
				t.Errorf("a secret shows in %s", out.String())
			}
		}
	}
}
