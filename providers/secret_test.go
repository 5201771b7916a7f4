package providers_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"counterfoil/providers"
)

func TestSecretIsHidden(t *testing.T) {
	t.Parallel()
	const canary = "canary-1234567890"
	secret := providers.NewSecret(canary)
	type holder struct {
		Exported   providers.Secret
		unexported providers.Secret
		pointer    *providers.Secret
	}
	held := holder{secret, secret, &secret}
	var out strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T", "%p"} {
		fmt.Fprintf(&out, verb+" ", secret)
		fmt.Fprintf(&out, verb+" ", held)
		fmt.Fprintf(&out, verb+" ", &held)
		fmt.Fprintf(&out, verb+" ", []any{secret, held, map[string]providers.Secret{"k": secret}})
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		if got := fmt.Sprintf(verb, secret); got != "[hidden]" {
			t.Errorf("%s shows %s", verb, got)
		}
	}
	fmt.Fprint(&out, secret, held, fmt.Errorf("wrapped %v", secret))
	for _, v := range []any{secret, held, map[string]any{"s": secret}} {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(b)
	}
	for _, handler := range []slog.Handler{slog.NewJSONHandler(&out, nil), slog.NewTextHandler(&out, nil)} {
		slog.New(handler).Info("x", slog.Any("secret", secret), slog.Any("held", held))
	}
	for _, form := range []string{canary, fmt.Sprintf("%x", canary), fmt.Sprintf("%X", canary), fmt.Sprintf("%d", []byte(canary))} {
		if strings.Contains(out.String(), form) {
			t.Errorf("the secret is in %s", out.String())
		}
	}
	if !strings.Contains(out.String(), "[hidden]") || secret.String() != "[hidden]" || secret.Reveal() != canary {
		t.Error("the secret cannot be used or is not marked as hidden")
	}
}

func TestZeroSecret(t *testing.T) {
	t.Parallel()
	if s := providers.NewSecret(""); !s.IsZero() || s.Reveal() != "" {
		t.Error("an empty text is a secret")
	}
	if (providers.Secret{}).String() != "[hidden]" || providers.NewSecret("x").IsZero() {
		t.Error("whether there is a secret can be read from its print")
	}
}
