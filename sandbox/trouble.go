package sandbox

// takeTrouble says what goes wrong with this answer: an outage of the whole
// merchant, else the first fault left on the order. Sandbox.mu is held.
func (s *Sandbox) takeTrouble(m *merchant, o *order) Fault {
	if o == nil {
		return s.troubles.Take(m.PID, "", s.stage.Now())
	}
	return s.troubles.Take(m.PID, o.tradeNo, s.stage.Now())
}
