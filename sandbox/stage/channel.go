package stage

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// YAML is the channel as it stands below "channels:" in Counterfoil's
// configuration, under an id of the caller's or, with an empty one, its own;
// more settings follow its own.
func (c Channel) YAML(id string, more ...Setting) string {
	if id == "" {
		id = c.ID
	}
	var b strings.Builder
	fmt.Fprintf(&b, "  %s:\n", id)
	for _, s := range slices.Concat(c.Settings, more) {
		fmt.Fprintf(&b, "    %s:%s\n", s.Name, s.value())
	}
	return b.String()
}

// bare are the settings whose text needs no quotes; all else has them, because
// YAML takes digits for numbers.
var bare = []string{"provider", "protocol", "gateway", "confirm_by_query"}

func (s Setting) value() string {
	switch v := s.Value.(type) {
	case string:
		if slices.Contains(bare, s.Name) {
			return " " + v
		}
		return " " + strconv.Quote(v)
	case []string:
		quoted := make([]string, len(v))
		for i, text := range v {
			quoted[i] = strconv.Quote(text)
		}
		return " [" + strings.Join(quoted, ", ") + "]"
	case map[string]string:
		var b strings.Builder
		for _, name := range slices.Sorted(maps.Keys(v)) {
			fmt.Fprintf(&b, "\n      %s: %s", strconv.Quote(name), strconv.Quote(v[name]))
		}
		return b.String()
	default:
		return fmt.Sprintf(" %v", v)
	}
}
