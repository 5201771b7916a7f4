package epay

import (
	"counterfoil/domain"
	"counterfoil/providers"
)

// maxFields is how many fields a message may have. The protocol names fifteen.
const maxFields = 64

// scan reads form-encoded text into dst as providers.ScanForm does; values are
// text here, so invalid UTF-8 and control characters are KindInvalid, too.
func scan(raw string, dst Params) (Params, error) {
	fields, err := providers.ScanForm(raw, dst, maxFields)
	if err != nil {
		return nil, err
	}
	for _, f := range fields {
		if !providers.Readable(f.Value) {
			return nil, domain.E(domain.KindInvalid, "the value of %s cannot be read", f.Name)
		}
	}
	return fields, nil
}
