package providers_test

import (
	"net/http"
	"testing"

	"counterfoil/domain"
	"counterfoil/providers"
)

// What is not UTF-8 must still be told from every other text after it was
// stored as JSON.
func TestHeadersSurviveTheirStorage(t *testing.T) {
	t.Parallel()
	h := http.Header{"User-Agent": {"caf\xe9/1", "中文"}, "Cookie": {"session=1"}, "Authorization": {"Basic x"}}
	e := domain.Evidence{Headers: providers.Headers(h, nil)}
	raw, err := e.Encode()
	if err != nil {
		t.Fatal(err)
	}
	back, err := domain.DecodeEvidence(raw)
	if err != nil {
		t.Fatal(err)
	}
	want := []domain.Header{{Name: "User-Agent", Value: "caf%E9/1"}, {Name: "User-Agent", Value: "中文"}}
	if len(back.Headers) != 2 || back.Headers[0] != want[0] || back.Headers[1] != want[1] {
		t.Errorf("headers %+v, want %+v", back.Headers, want)
	}
}
