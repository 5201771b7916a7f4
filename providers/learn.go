package providers

import (
	"context"

	"counterfoil/domain"
)

// Learner is a Channel whose provider changes its keys while we run. What a new
// key proves may only be used once the log says that the channel has the key:
// otherwise whoever verifies the log later finds proofs by a key of nobody's.
type Learner interface {
	Channel
	// Recall takes the keys of recorded settings that the channel once learned,
	// so that it need not learn them again and can verify what they proved.
	Recall(keys []domain.PublicKey)
	// OnLearned sets what records the channel's settings with new keys in them,
	// before any of these is used; none of them is when it fails.
	OnLearned(record func(context.Context, domain.ChannelConfigured) error)
	// Refresh asks the provider for its keys now, so that the first message under
	// a new one need not be refused. Nothing is asked where the channel's
	// protocol or account has none to ask for. KindUnavailable when no answer
	// could be trusted, KindDenied when the provider refuses our account.
	Refresh(context.Context) error
}
