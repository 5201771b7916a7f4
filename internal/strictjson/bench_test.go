package strictjson

import (
	"encoding/json"
	"testing"
)

// event is a stored fact of ordinary size: 600 bytes.
const event = `{"order_no":"20261122004512345678","trade_no":"2026112222001412345678901234","account":"user:10023","amount":{"amount":"7.30","currency":"CNY"},"occurred_at":"2026-11-22T00:45:12.000000Z","received_at":"2026-11-22T00:45:13.123456Z","value_date":"2026-11-22","period":"2026-11","late":false,"notice":"0b0d7a44-5f0e-5a4b-9f5e-3c1a2b3c4d5e","rules":1,"channel_revision":4,"subject":"充值 10 元","postings":[{"account":"assets:psp:epay-main","amount":{"amount":"7.30","currency":"CNY"}},{"account":"liabilities:wallet:user:10023","amount":{"amount":"-7.30","currency":"CNY"}}]}`

func BenchmarkCheck(b *testing.B) {
	data := []byte(event)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if err := Check(data, Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkObject(b *testing.B) {
	data := []byte(event)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Object(data); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkStandardValid is the measure to hold the others against.
func BenchmarkStandardValid(b *testing.B) {
	data := []byte(event)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if !json.Valid(data) {
			b.Fatal("not valid")
		}
	}
}

func BenchmarkUnmarshal(b *testing.B) {
	type posting struct {
		Account string `json:"account"`
		Amount  struct {
			Amount   string `json:"amount"`
			Currency string `json:"currency"`
		} `json:"amount"`
	}
	type fact struct {
		OrderNo  string    `json:"order_no"`
		TradeNo  string    `json:"trade_no"`
		Account  string    `json:"account"`
		Postings []posting `json:"postings"`
	}
	data := []byte(event)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		var f fact
		if err := Unmarshal(data, &f); err != nil {
			b.Fatal(err)
		}
	}
}
