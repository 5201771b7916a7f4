package alerts

import "context"

// Tell tells people about a, unless it was told lately. Since may be zero: then
// it is now.
func (w *Watch) Tell(ctx context.Context, a Alert) error {
	if a.Since.IsZero() {
		a.Since = w.Clock()
	}
	_, err := w.tell(ctx, a)
	return err
}
