package providers

import (
	"strings"

	"counterfoil/domain"
)

// NotifyURL is the address at which a provider calls a channel back: derived
// from the public address of the installation, never typed, because an address
// that does not fit is how payments get lost.
func NotifyURL(publicURL string, ch domain.ChannelID) string {
	return strings.TrimSuffix(publicURL, "/") + "/callbacks/" + string(ch)
}
