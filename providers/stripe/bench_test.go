package stripe

import "testing"

// BenchmarkRead is an ordinary callback: 439 bytes.
func BenchmarkRead(b *testing.B) {
	c, r := newChannel(b, config()), request(vectorBody, vectorSignature)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := c.Read(r); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkReadForged is what a flood of wrong callbacks costs.
func BenchmarkReadForged(b *testing.B) {
	c, r := newChannel(b, config()), request(vectorBody, Sign([]byte(vectorBody), otherSecret, testNow))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := c.Read(r); err == nil {
			b.Fatal("accepted")
		}
	}
}
