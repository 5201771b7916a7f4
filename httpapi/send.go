package httpapi

import (
	"net/http"
	"time"
)

// DefaultSendWithin is how long a client may leave an answer unread where nobody
// says otherwise.
const DefaultSendWithin = 30 * time.Second

// sendPart is the most that is handed to the network at once: a client has
// Config.SendWithin for each part, so that a long answer may take any time at
// 2 KiB a second.
const sendPart = 64 << 10

// sending bounds how long an answer waits for its reader (R10): the connection
// of a client that takes no part of it within that time breaks. A stream that is
// read goes on for ever, and one that has nothing to say is not hurried.
func sending(next http.Handler, within time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := &sender{ResponseWriter: w, within: within, conn: http.NewResponseController(w)}
		s.extend()
		defer s.extend() // what is left in buffers goes out after the handler
		next.ServeHTTP(s, r)
	})
}

// sender moves the deadline of its connection on with what is written.
type sender struct {
	http.ResponseWriter
	within time.Duration
	conn   *http.ResponseController
	since  time.Time // of the deadline that is set
}

// extend gives the client its whole time again, or nearly: a deadline is set
// seldom, because most answers are one short write.
func (s *sender) extend() {
	now := time.Now() //nolint:forbidigo // deadlines of connections are by the machine's clock
	if now.Sub(s.since) < s.within/8 {
		return
	}
	s.since = now
	_ = s.conn.SetWriteDeadline(now.Add(s.within)) // what has no connection needs none
}

// Write sends b in parts.
func (s *sender) Write(b []byte) (n int, err error) {
	for {
		part := b[n:min(n+sendPart, len(b))]
		s.extend()
		m, err := s.ResponseWriter.Write(part)
		if n += m; err != nil || n == len(b) {
			return n, err
		}
	}
}

// FlushError is what http.ResponseController calls.
func (s *sender) FlushError() error {
	s.extend()
	return s.conn.Flush()
}

// Unwrap is for http.ResponseController.
func (s *sender) Unwrap() http.ResponseWriter { return s.ResponseWriter }
