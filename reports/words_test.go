package reports

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"counterfoil/domain"
)

// TestEveryKindHasAWord: a kind, an action, a state or a part of a balance that the domain knows has
// its Chinese word; an English page has its code alone.
func TestEveryKindHasAWord(t *testing.T) {
	t.Parallel()
	found := map[string]int{}
	for typ, codes := range constants(t, "DiscrepancyKind", "Action", "ProposalState", "PartKind") {
		for _, code := range codes {
			word := map[string]string{
				"DiscrepancyKind": kindWords[domain.DiscrepancyKind(code)], "Action": actionWords[domain.Action(code)],
				"ProposalState": stateWords[domain.ProposalState(code)], "PartKind": partWords[domain.PartKind(code)],
			}[typ]
			if found[typ]++; word == "" {
				t.Errorf("%s %s has no word", typ, code)
			}
		}
	}
	if found["DiscrepancyKind"] != len(kindWords) || found["Action"] != len(actionWords) || found["ProposalState"] != len(stateWords) ||
		found["PartKind"] != len(partWords) {
		t.Errorf("found %v", found)
	}
	zh, en := page{Lang: LangZh}, page{Lang: LangEn}
	if got := string(zh.Kind(domain.RefundMissing)); got != `漏记退款 <span class="en">refund_missing</span>` {
		t.Error(got)
	}
	if got := string(en.Kind(domain.RefundMissing)) + string(zh.Action("<new>")); got != "refund_missing&lt;new&gt;" {
		t.Error(got)
	}
}

// constants are the texts that the domain declares of some types.
func constants(t *testing.T, types ...string) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	names, err := filepath.Glob("../domain/*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || len(spec.Values) != 1 {
				return true
			}
			typ, _ := spec.Type.(*ast.Ident)
			lit, _ := spec.Values[0].(*ast.BasicLit)
			for _, want := range types {
				if typ != nil && lit != nil && typ.Name == want {
					text, err := strconv.Unquote(lit.Value)
					if err != nil {
						t.Fatal(err)
					}
					out[want] = append(out[want], text)
				}
			}
			return true
		})
	}
	return out
}
