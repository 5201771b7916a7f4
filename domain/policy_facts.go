package domain

import "strconv"

// ConfigProposed says that a channel's configured settings loosen its policy. The
// rest of them is in force; what it names waits for two persons.
type ConfigProposed struct {
	Channel     ChannelID `json:"channel"`
	Proposal    ID        `json:"proposal"` // the same for the same settings on the same base
	Base        uint64    `json:"base"`     // revision of the settings in force
	Hash        string    `json:"hash"`     // hex SHA-256 over the wanted settings as stored, without their revision
	Loosens     []string  `json:"loosens"`  // in words
	Differences []string  `json:"differences"`
	By          string    `json:"by"` // the process that was configured so
}

// ConfigApproved is one person's yes to a proposal. The second different person's
// puts it in force.
type ConfigApproved struct {
	Proposal ID     `json:"proposal"`
	By       string `json:"by"`
	Reason   string `json:"reason,omitempty"`

	Signature *Signature `json:"signature,omitempty"` // with the person's own key over PolicyStatement; absent: their API key's word
}

// ConfigRejected ends a proposal: these settings, on this base, are never in
// force.
type ConfigRejected struct {
	Proposal ID     `json:"proposal"`
	By       string `json:"by"`
	Reason   string `json:"reason"`
}

// ConfigApplied says what a change of a channel's settings changed, and who made
// it: the channel.configured of that revision holds the settings themselves.
type ConfigApplied struct {
	Channel     ChannelID `json:"channel"`
	Revision    uint64    `json:"revision"` // of the settings, now in force
	Hash        string    `json:"hash"`     // hex SHA-256 over the settings as stored, without their revision
	Differences []string  `json:"differences"`
	By          string    `json:"by"`                    // the process that was configured so
	Proposal    ID        `json:"proposal,omitzero"`     // where it loosened
	ApprovedBy  []string  `json:"approved_by,omitempty"` // two persons, with Proposal
}

// PolicyStream is the stream of what changed a channel's settings, and who agreed.
func PolicyStream(ch ChannelID) Stream { return Stream("policy-" + string(ch)) }

// FactType is TypeConfigProposed.
func (ConfigProposed) FactType() string { return TypeConfigProposed }

// FactType is TypeConfigApproved.
func (ConfigApproved) FactType() string { return TypeConfigApproved }

// FactType is TypeConfigRejected.
func (ConfigRejected) FactType() string { return TypeConfigRejected }

// FactType is TypeConfigApplied.
func (ConfigApplied) FactType() string { return TypeConfigApplied }

func (f ConfigProposed) key() string { return f.Proposal.String() }
func (f ConfigApproved) key() string { return f.Proposal.String() + "/" + f.By }
func (f ConfigRejected) key() string { return f.Proposal.String() }
func (f ConfigApplied) key() string  { return strconv.FormatUint(f.Revision, 10) }

func (ConfigProposed) peoples() {}
func (ConfigApproved) peoples() {}
func (ConfigRejected) peoples() {}
func (ConfigApplied) peoples()  {}
