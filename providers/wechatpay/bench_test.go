package wechatpay

import (
	"strings"
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

// BenchmarkRead is what a callback costs; providers/witness holds it against the
// official library.
func BenchmarkRead(b *testing.B) {
	b.Run("v3", func(b *testing.B) { benchmarkRead(b, newChannel(b, configV3()), genuineV3(b)) })
	for _, signType := range []string{SignMD5, SignHMAC} {
		cfg := configV2()
		cfg.SignType = signType
		r := xmlRequest(signedV2(fieldsV2(b), apiKey, signType))
		b.Run("v2-"+signType, func(b *testing.B) { benchmarkRead(b, newChannel(b, cfg), r) })
	}
}

// BenchmarkReadForged is what a flood of wrong callbacks costs.
func BenchmarkReadForged(b *testing.B) {
	c := newChannel(b, configV3())
	r := signedBy(strangerKey(), platformSerial, genuineV3(b).Body)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := c.Read(r); err == nil {
			b.Fatal("accepted")
		}
	}
}

// BenchmarkReadBill is what a row of a bill costs.
func BenchmarkReadBill(b *testing.B) {
	c := newChannel(b, configV3())
	const rows = 10_000
	lines := strings.SplitAfter(string(vector(b, "tradebill.csv")), "\r\n")
	text := lines[0] + strings.Repeat(lines[1], rows) + lines[3] + "`10000,`100000.00,`0.00,`0.00,`600.00000,`100000.00,`0.00\r\n"
	b.ReportAllocs()
	for b.Loop() {
		all := 0
		for _, err := range c.ReadBill(strings.NewReader(text), providers.BillFile{Question: tradeQuestion()}) {
			if err != nil {
				b.Fatal(err)
			}
			all++
		}
		if all != rows {
			b.Fatal(all)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/rows, "ns/row")
}
