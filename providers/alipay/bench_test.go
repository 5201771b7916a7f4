package alipay

import (
	"testing"

	"counterfoil/providers"
)

func benchmarkRead(b *testing.B, c *Channel, r providers.Request) {
	b.Helper()
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := c.Read(r); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRead is the published notice.
func BenchmarkRead(b *testing.B) {
	benchmarkRead(b, newChannel(b, testConfig()), post(vectors(b)["notice.body"]))
}

// BenchmarkReadSecondKey is a notice during a change of keys.
func BenchmarkReadSecondKey(b *testing.B) {
	cfg := testConfig()
	cfg.AlipayKeys = append([]string{publicText(otherKey())}, cfg.AlipayKeys...)
	benchmarkRead(b, newChannel(b, cfg), post(vectors(b)["notice.body"]))
}

// BenchmarkReadForged is what a flood of wrong notices costs.
func BenchmarkReadForged(b *testing.B) {
	c := newChannel(b, testConfig())
	r := posted(signedBy(otherKey(), notice()))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := c.Read(r); err == nil {
			b.Fatal("accepted")
		}
	}
}

func BenchmarkForm(b *testing.B) {
	c := newChannel(b, testConfig())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Form(goodOrder()); err != nil {
			b.Fatal(err)
		}
	}
}
