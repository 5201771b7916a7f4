package assembly_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/internal/assembly"
	"counterfoil/internal/config"
	"counterfoil/providers"
	"counterfoil/providers/wechatpay"
	"counterfoil/sandbox/stage"
	sandbox "counterfoil/sandbox/wechatpay"
)

// wechat is a channel at a WeChat Pay that can change its keys.
func wechat(t *testing.T) (config.Channel, *sandbox.Face) {
	t.Helper()
	s, err := stage.New(stage.Config{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	var routes http.Handler
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { routes.ServeHTTP(w, r) }))
	t.Cleanup(server.Close)
	face, err := sandbox.New(s, sandbox.Config{BaseURL: server.URL, Merchants: []sandbox.Merchant{{MchID: "1900000109"}}})
	if err != nil {
		t.Fatal(err)
	}
	routes = face.Routes()
	set := map[string]any{}
	for _, line := range face.Channels()[0].Settings {
		set[line.Name] = line.Value
	}
	text := func(name string) string { return set[name].(string) }
	return config.Channel{
		ID: "wechat", Provider: "wechatpay", Protocol: "v3", Gateway: server.URL, MchID: text("mchid"), AppIDs: set["appids"].([]string),
		APIv3Key: providers.NewSecret(text("api_v3_key")), MerchantKey: providers.NewSecret(text("merchant_key")),
		MerchantSerial: text("merchant_serial"), PlatformKeys: set["platform_keys"].(map[string]string), AllowPlainHTTP: true, Test: true,
	}, face
}

// TestLearnedKeysAreRecorded: a certificate that was downloaded stands in the
// channel's settings before it proves anything, and the next process has it.
func TestLearnedKeysAreRecorded(t *testing.T) {
	t.Parallel()
	cfg := installation(t, "")
	ch, face := wechat(t)
	ch.Corrections = &domain.CorrectionPolicy{Item: domain.NewMoney(100, domain.CNY)}
	cfg.Channels = map[string]config.Channel{"wechat": ch}
	open := func() *assembly.App {
		t.Helper()
		app, err := assembly.Open(t.Context(), cfg, slog.New(slog.DiscardHandler), time.Now)
		if err != nil {
			t.Fatal(err)
		}
		return app
	}
	settings := func(app *assembly.App) domain.ChannelConfigured {
		t.Helper()
		s, err := app.Ledger.Settings(t.Context(), "wechat")
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	app := open()
	before := settings(app)
	if err := face.Rotate("1900000109"); err != nil {
		t.Fatal(err)
	}
	if err := app.Channels["wechat"].(*wechatpay.Channel).Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	after := settings(app)
	if len(after.PublicKeys) != len(before.PublicKeys)+1 || after.Revision != before.Revision+1 || !after.Test || after.Corrections == nil {
		t.Errorf("recorded %+v, before %+v", after, before)
	}
	if err := app.Close(); err != nil {
		t.Fatal(err)
	}
	app = open()
	if again := settings(app); again.Revision != after.Revision || len(app.Channels["wechat"].Config().PublicKeys) != len(after.PublicKeys) {
		t.Errorf("the next process has %+v", again)
	}
	if err := app.Close(); err != nil {
		t.Error(err)
	}
}
