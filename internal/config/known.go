package config

import (
	"reflect"
	"slices"
	"strings"

	"github.com/knadh/koanf/v2"

	"counterfoil/domain"
	"counterfoil/providers"
)

func unknown(key string, known []string) error {
	return domain.EField(domain.KindInvalid, key, "unknown setting; known here: %s", strings.Join(known, ", "))
}

// knownInChannel refuses a setting that the channel's provider does not have.
// Of a provider that nobody knows every setting passes: the provider is what
// is wrong, and is named later.
func knownInChannel(k *koanf.Koanf, key, id, name string) error {
	provider := k.String("channels." + id + ".provider")
	if !slices.Contains(Providers(), provider) {
		provider = ""
	}
	set := settingsOf(provider)
	if !slices.Contains(set, name) {
		return unknown(key, set)
	}
	return nil
}

// settingsOf are the settings a channel of a provider can have, those of all
// providers for an empty one.
func settingsOf(provider string) []string {
	var names []string
	for f := range reflect.TypeFor[Channel]().Fields() {
		only := strings.Fields(f.Tag.Get("only"))
		if name := f.Tag.Get("koanf"); name != "-" && (len(only) == 0 || provider == "" || slices.Contains(only, provider)) {
			names = append(names, name)
		}
	}
	return names
}

// quoted refuses numbers where a channel has text: YAML has forgotten by then
// which digits stood there, leading zeros and all. The value stays untold, it
// may be a secret.
func quoted(k *koanf.Koanf) error {
	for f := range reflect.TypeFor[Channel]().Fields() {
		if !isText(f.Type) {
			continue
		}
		for _, id := range k.MapKeys("channels") {
			name := f.Tag.Get("koanf")
			key := "channels." + id + "." + name
			if k.Exists(key) && !textOnly(k.Get(key)) {
				return domain.EField(domain.KindInvalid, key, "is no text: put it in quotes, as in %s: \"123\"", name)
			}
		}
	}
	return nil
}

// isText reports a field of text, or of several texts.
func isText(t reflect.Type) bool {
	if t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
		t = t.Elem()
	}
	return t.Kind() == reflect.String || t == reflect.TypeFor[providers.Secret]()
}

func textOnly(value any) bool {
	switch v := value.(type) {
	case string, nil:
		return true
	case []any:
		return !slices.ContainsFunc(v, func(one any) bool { return !textOnly(one) })
	case map[string]any:
		for _, one := range v {
			if !textOnly(one) {
				return false
			}
		}
		return true
	default:
		return false
	}
}
