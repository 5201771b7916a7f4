package epay

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

func BenchmarkReadV1(b *testing.B) {
	benchmarkRead(b, newChannel(b, configV1()), get(signedV1(callback())))
}

func BenchmarkReadV2(b *testing.B) {
	sign, err := SignRSA(Text(callback()), testKey())
	if err != nil {
		b.Fatal(err)
	}
	fields := append(callback(), Param{"sign", sign}, Param{"sign_type", "RSA"})
	benchmarkRead(b, newChannel(b, gatewayV2()), get(fields))
}

// BenchmarkReadForged is what a flood of wrong callbacks costs.
func BenchmarkReadForged(b *testing.B) {
	c := newChannel(b, configV1())
	r := get(with(signedV1(callback()), Param{"sign", "00000000000000000000000000000000"}))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := c.Read(r); err == nil {
			b.Fatal("accepted")
		}
	}
}

func BenchmarkForm(b *testing.B) {
	c := newChannel(b, configV1())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Form(goodOrder()); err != nil {
			b.Fatal(err)
		}
	}
}
