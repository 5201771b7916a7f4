// Package progress shows people at a terminal how far a long command has come.
// Anywhere else, in a pipe, a log or a script, it is silent: data goes to
// standard output, and standard error stays readable.
package progress

import (
	"io"
	"os"
	"slices"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// redraw is how often a bar is drawn at most.
const redraw = 100 * time.Millisecond

// Bar is a line that grows. The zero Bar, and one made for anything but a
// terminal, shows nothing.
type Bar struct{ bar *progressbar.ProgressBar }

// New begins a bar titled what on w, if w is a terminal that can move its
// cursor: environ is looked at for TERM=dumb. It has no colours, so NO_COLOR
// changes nothing.
func New(w io.Writer, environ []string, what string) *Bar {
	if !terminal(w) || plain(environ) {
		return &Bar{}
	}
	return draw(w, what)
}

// draw begins a bar on w, whatever w is.
func draw(w io.Writer, what string) *Bar {
	return &Bar{bar: progressbar.NewOptions64(-1,
		progressbar.OptionSetWriter(w), progressbar.OptionSetDescription(what), progressbar.OptionThrottle(redraw),
		progressbar.OptionClearOnFinish(), progressbar.OptionSetWidth(30), progressbar.OptionSetPredictTime(true),
	)}
}

// Shown reports whether anybody sees the bar.
func (b *Bar) Shown() bool { return b != nil && b.bar != nil }

// Tell says what the bar is at.
func (b *Bar) Tell(what string) {
	if b.Shown() {
		b.bar.Describe(what)
	}
}

// Set shows that done of total is reached. A total of 0 is not known yet. It is
// for one goroutine at a time.
func (b *Bar) Set(done, total uint64) {
	if b == nil || b.bar == nil || total == 0 {
		return
	}
	if size := int64(total); size != b.bar.GetMax64() {
		b.bar.ChangeMax64(size)
	}
	_ = b.bar.Set64(int64(min(done, total))) // a bar that cannot be drawn stops no work
}

// End takes the bar away. A second call does nothing.
func (b *Bar) End() {
	if b == nil || b.bar == nil {
		return
	}
	_ = b.bar.Clear()
	b.bar = nil
}

// terminal reports whether w is one.
func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// plain reports whether the terminal can only print lines.
func plain(environ []string) bool { return slices.Contains(environ, "TERM=dumb") }
