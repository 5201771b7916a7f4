package domain_test

import (
	"iter"
	"maps"
	"slices"
	"strings"
	"testing"

	"counterfoil/domain"
)

// BenchmarkDecodeFact reads the full form of each type, and the notice that most
// streams have. A payment's stream is read this way whenever its fold is not
// in memory, and the whole log by every projection.
func BenchmarkDecodeFact(b *testing.B) {
	for name, f := range benched() {
		typ, data := encoded(b, f)
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := domain.DecodeFact(typ, data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkEncodeFact(b *testing.B) {
	for name, f := range benched() {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := domain.EncodeFact(f); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// benched are the fixtures worth measuring, sorted by name.
func benched() iter.Seq2[string, domain.Fact] {
	return func(yield func(string, domain.Fact) bool) {
		all := fixtures()
		for _, name := range slices.Sorted(maps.Keys(all)) {
			measured := strings.HasSuffix(name, ".full") || strings.HasSuffix(name, ".callback")
			if measured && !yield(name, all[name]) {
				return
			}
		}
	}
}

// BenchmarkNotify is the decision on one callback: three facts folded, then the
// notice that credits.
func BenchmarkNotify(b *testing.B) {
	first, n := says(callback(1, "T1", ten), domain.StatusWaiting), callback(2, "T1", ten)
	short := callback(3, "T0", five)
	given := facts(placed(), kept(first, domain.OutcomeNoted, domain.ReasonNotPaid),
		kept(short, domain.OutcomeParked, domain.ReasonOtherAmount))
	c := at(noon, domain.ConfirmNever)
	b.ReportAllocs()
	for b.Loop() {
		v := domain.Fold(given).Notify(c, n, evidence, answer, 0)
		if v.Outcome != domain.OutcomeCredited {
			b.Fatal(v)
		}
	}
}

func BenchmarkDecodeMeta(b *testing.B) {
	data, err := domain.EncodeMeta(meta())
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := domain.DecodeMeta(data); err != nil {
			b.Fatal(err)
		}
	}
}
