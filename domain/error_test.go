package domain

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

func TestKindNames(t *testing.T) {
	t.Parallel()
	seen := map[string]Kind{}
	for k := KindInternal; k <= KindCorrupt; k++ {
		name := k.String()
		if other, twice := seen[name]; name == "" || twice {
			t.Errorf("kind %d and kind %d are both %q", k, other, name)
		}
		if strings.Trim(name, "abcdefghijklmnopqrstuvwxyz_") != "" {
			t.Errorf("kind %d is %q, no snake_case word", k, name)
		}
		seen[name] = k
	}
	if got := (KindCorrupt + 1).String(); got != "kind_12" {
		t.Errorf("a kind that is none is %q", got)
	}
}

func TestErrorText(t *testing.T) {
	t.Parallel()
	tests := []struct {
		err  error
		want string
	}{
		{E(KindInvalid, "100%% wrong"), "100% wrong"},
		{E(KindInvalid, "order %s at %d", "A1", 7), "order A1 at 7"},
		{E(KindUnknown, "append: %w", io.ErrUnexpectedEOF), "append: unexpected EOF"},
		{EField(KindInvalid, "amount", "is %q", "x"), `amount: is "x"`},
		{fmt.Errorf("place: %w", EField(KindInvalid, "amount", "is bad")), "place: amount: is bad"},
		{&Error{Kind: KindDenied}, "denied"},
		{&Error{Kind: KindDenied, Field: "key"}, "key: denied"},
		{&Error{Kind: KindDenied, Err: io.EOF}, "EOF"},
	}
	for _, tt := range tests {
		if got := tt.err.Error(); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}

func TestErrorKeepsCauses(t *testing.T) {
	t.Parallel()
	one := E(KindUnavailable, "read: %w", io.ErrUnexpectedEOF)
	if !errors.Is(one, io.ErrUnexpectedEOF) {
		t.Error("the cause is lost")
	}
	two := E(KindUnknown, "%w, then %w", io.ErrClosedPipe, io.ErrNoProgress)
	if !errors.Is(two, io.ErrClosedPipe) || !errors.Is(two, io.ErrNoProgress) {
		t.Error("one of two causes is lost")
	}
	if errors.Unwrap(E(KindInvalid, "no cause: %v", io.EOF)) != nil {
		t.Error("a cause that was only printed is kept")
	}
}

func TestKindOf(t *testing.T) {
	t.Parallel()
	notFound := E(KindNotFound, "no such order")
	tests := []struct {
		name string
		err  error
		want Kind
	}{
		{"plain", notFound, KindNotFound},
		{"wrapped keeps the kind", fmt.Errorf("place: %w", notFound), KindNotFound},
		{"outermost decides", E(KindCorrupt, "fold: %w", notFound), KindCorrupt},
		{"outermost behind a wrap", fmt.Errorf("verify: %w", E(KindCorrupt, "fold: %w", notFound)), KindCorrupt},
		{"joined", errors.Join(io.EOF, notFound), KindNotFound},
		{"deadline", fmt.Errorf("query: %w", context.DeadlineExceeded), KindUnavailable},
		{"cancelled", context.Canceled, KindUnavailable},
		{"classified deadline", E(KindUnknown, "append: %w", context.DeadlineExceeded), KindUnknown},
		{"foreign", io.EOF, KindInternal},
		{"nil", nil, KindInternal},
	}
	for _, tt := range tests {
		if got := KindOf(tt.err); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestFieldOf(t *testing.T) {
	t.Parallel()
	amount := EField(KindInvalid, "amount", "is bad")
	tests := []struct {
		err  error
		want string
	}{
		{amount, "amount"},
		{fmt.Errorf("place: %w", amount), "amount"},
		{E(KindDenied, "place: %w", amount), "amount"},
		{EField(KindInvalid, "order", "line 3: %w", amount), "order"},
		{E(KindInvalid, "no field"), ""},
		{io.EOF, ""},
		{nil, ""},
	}
	for _, tt := range tests {
		if got := FieldOf(tt.err); got != tt.want {
			t.Errorf("field of %v is %q, want %q", tt.err, got, tt.want)
		}
	}
}
