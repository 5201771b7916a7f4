package providers_test

import (
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/providers"
)

func TestSameContent(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 22, 5, 0, 0, 123456789, time.UTC)
	notice := domain.Notice{
		Delivery: domain.NewV5(domain.ID{}, "a"), Source: domain.SourceQuery, Channel: "c", OrderNo: "o", TradeNo: "t",
		Amount: domain.NewMoney(1, domain.CNY), Status: domain.StatusPaid, ProviderStatus: "1", OccurredAt: at, ReceivedAt: at,
		Doubts: []domain.Doubt{domain.DoubtLooseText}, Run: "r",
	}
	for name, change := range map[string]func(*domain.Notice){
		"delivery":     func(n *domain.Notice) { n.Delivery = domain.ID{} },
		"received":     func(n *domain.Notice) { n.ReceivedAt = time.Time{} },
		"run":          func(n *domain.Notice) { n.Run = "" },
		"zone of time": func(n *domain.Notice) { n.OccurredAt = at.In(time.FixedZone("x", 3600)) },
		"nanoseconds":  func(n *domain.Notice) { n.OccurredAt = domain.Instant(at) },
	} {
		other := notice
		change(&other)
		if !providers.SameContent(notice, other) {
			t.Errorf("%s makes a difference", name)
		}
	}
	for name, change := range map[string]func(*domain.Notice){
		"index":           func(n *domain.Notice) { n.Index = 1 },
		"source":          func(n *domain.Notice) { n.Source = domain.SourceCallback },
		"channel":         func(n *domain.Notice) { n.Channel = "d" },
		"order":           func(n *domain.Notice) { n.OrderNo = "O" },
		"trade":           func(n *domain.Notice) { n.TradeNo = "" },
		"amount":          func(n *domain.Notice) { n.Amount = domain.NewMoney(2, domain.CNY) },
		"currency":        func(n *domain.Notice) { n.Amount = domain.NewMoney(1, domain.USD) },
		"status":          func(n *domain.Notice) { n.Status = domain.StatusOther },
		"provider status": func(n *domain.Notice) { n.ProviderStatus = "2" },
		"occurred":        func(n *domain.Notice) { n.OccurredAt = at.Add(time.Second) },
		"no time":         func(n *domain.Notice) { n.OccurredAt = time.Time{} },
		"doubts":          func(n *domain.Notice) { n.Doubts = nil },
		"about":           func(n *domain.Notice) { n.About = domain.AboutRefund },
		"refund":          func(n *domain.Notice) { n.RefundID = "r" },
		"refund number":   func(n *domain.Notice) { n.RefundNo = "r" },
		"total":           func(n *domain.Notice) { n.Total = true },
		"dispute":         func(n *domain.Notice) { n.DisputeID = "d" },
		"fee":             func(n *domain.Notice) { n.Fee = domain.NewMoney(1, domain.CNY) },
		"account":         func(n *domain.Notice) { n.Account = "u" },
	} {
		other := notice
		change(&other)
		if providers.SameContent(notice, other) {
			t.Errorf("%s makes no difference", name)
		}
	}
}
