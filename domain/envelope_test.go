package domain_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"counterfoil/domain"
)

func meta() domain.Meta {
	return domain.Meta{
		RecordedAt: noon.Add(time.Microsecond), Actor: "channel:epay-main", Cause: delivery(1).String(),
		Trace: "4bf92f3577b34da6a3ce929d0e0e4736", Software: "counterfoil 0.1.0",
	}
}

func TestMeta(t *testing.T) {
	t.Parallel()
	const stored = `{"recorded_at":"2026-03-14T04:00:00.000001Z","actor":"channel:epay-main",` +
		`"cause":"de000000-0000-4000-8000-000000000001","trace":"4bf92f3577b34da6a3ce929d0e0e4736","software":"counterfoil 0.1.0"}`
	data, err := domain.EncodeMeta(meta())
	if err != nil || string(data) != stored {
		t.Fatalf("stored as %s, %v", data, err)
	}
	for _, m := range []domain.Meta{
		meta(),
		{RecordedAt: noon, Actor: "system", Software: "<dev>"},
		{RecordedAt: noon.In(shanghai), Actor: "person:李", Software: "dev"},
	} {
		data, err := domain.EncodeMeta(m)
		if err != nil {
			t.Fatal(err)
		}
		back, err := domain.DecodeMeta(data)
		if err != nil {
			t.Fatal(err)
		}
		same(t, "meta", m, back)
	}
	for _, other := range []string{
		"", "null", "[]", stored + "{}", stored[:len(stored)-1] + `,"note":""}`,
		strings.Replace(stored, `"actor"`, `"Actor"`, 1), strings.Replace(stored, `{`, `{"actor":"x",`, 1),
		strings.Replace(stored, `T04:00`, ` 04:00`, 1),
	} {
		if m, err := domain.DecodeMeta([]byte(other)); err == nil || domain.KindOf(err) != domain.KindCorrupt || m != (domain.Meta{}) {
			t.Errorf("%s: %v, %v", other, m, err)
		}
	}
}

func TestEvidence(t *testing.T) {
	t.Parallel()
	e := domain.Evidence{
		Kind: "callback", Method: "POST", Target: "/callbacks/epay-main?a=1&b=<2>", Status: 200,
		Headers: []domain.Header{{Name: "Content-Type", Value: "application/x-www-form-urlencoded"}},
		Body:    []byte("money=10.00&name=\xd6\xd0\x00"), Remote: "192.0.2.1", At: noon, Scheme: "epay.md5.v1",
		Key: "hmac:2c3d", Grade: domain.GradeB,
	}
	const stored = `{"kind":"callback","method":"POST","target":"/callbacks/epay-main?a=1&b=<2>","status":200,` +
		`"headers":[{"name":"Content-Type","value":"application/x-www-form-urlencoded"}],` +
		`"body":"bW9uZXk9MTAuMDAmbmFtZT3W0AA=","remote":"192.0.2.1","at":"2026-03-14T04:00:00Z",` +
		`"scheme":"epay.md5.v1","key":"hmac:2c3d","grade":"B"}`
	data, err := e.Encode()
	if err != nil || string(data) != stored {
		t.Fatalf("stored as %s, %v", data, err)
	}
	back, err := domain.DecodeEvidence(data)
	if err != nil || !reflect.DeepEqual(back, e) {
		t.Errorf("read back: %+v, %v", back, err)
	}
	for _, other := range []string{"", "null", stored + " x", strings.Replace(stored, `"kind"`, `"Kind"`, 1), strings.Replace(stored, `{`, `{"kind":"query",`, 1)} {
		if back, err := domain.DecodeEvidence([]byte(other)); err == nil || domain.KindOf(err) != domain.KindCorrupt || back.Kind != "" {
			t.Errorf("%s: %v, %v", other, back, err)
		}
	}
}
