package alerts

import (
	"context"
	"strings"
	"testing"

	"counterfoil/domain"
)

// TestLooserPoliciesAreTold: those that wait, not those that were decided.
func TestLooserPoliciesAreTold(t *testing.T) {
	t.Parallel()
	w := &Watch{Deps: Deps{Waiting: func() []domain.PolicyProposal {
		waits := domain.PolicyProposal{State: domain.PolicyWaiting, AskedAt: noon}
		waits.Ask.Channel, waits.Ask.Loosens = "epay-a", []string{"confirm_by_query: never, was always"}
		return []domain.PolicyProposal{waits, {State: domain.PolicyRejected}}
	}}}
	got, err := w.policies(context.Background())
	if err != nil || len(got) != 1 || got[0].Channel != "epay-a" || !got[0].Since.Equal(noon) ||
		!strings.Contains(got[0].Text, "confirm_by_query: never, was always") {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := (&Watch{}).policies(context.Background()); err != nil || got != nil {
		t.Errorf("where nobody says: %+v, %v", got, err)
	}
}
