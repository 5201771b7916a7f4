package alipay

import (
	"bytes"
	"fmt"
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

// BenchmarkReadBill reads a trade bill of ten thousand rows.
func BenchmarkReadBill(b *testing.B) {
	const rows = 10_000
	var text strings.Builder
	for i := range rows {
		text.WriteString(tradeRow(fmt.Sprintf("20260214220014730370%08d", i), fmt.Sprintf("A%d", i), "交易", "测试商品", "1.00", "1.00", "", "-0.01"))
	}
	sums := fmt.Sprintf("交易合计：%d笔，商家实收共%d.00元|退款合计：0笔，商家实收退款共0.00元", rows, rows)
	file := zipped(b, entry{name: tradeName, text: tradeBill(text.String(), sums)})
	c := newChannel(b, testConfig())
	b.ReportAllocs()
	for b.Loop() {
		if lines, err := readWith(c, bytes.NewReader(file), billOf(providers.BillTrade)); err != nil || len(lines) != rows {
			b.Fatal(len(lines), err)
		}
	}
}
