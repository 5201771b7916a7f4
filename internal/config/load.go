package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/providers/file"
	"github.com/knadh/koanf/v2"

	"counterfoil/domain"
	"counterfoil/providers"
)

// EnvPrefix starts every environment variable that sets a field. Levels are
// divided by two underscores, and a channel's id is written in capitals with _
// for -: COUNTERFOIL_LISTEN, COUNTERFOIL_ALERTS__URL,
// COUNTERFOIL_CHANNELS__EPAY_MAIN__KEY. A name that no field has is an error.
const EnvPrefix = "COUNTERFOIL_"

// EnvKey holds the API key that commands use. It is no setting, although it
// begins like one.
const EnvKey = EnvPrefix + "KEY"

// Find is the configuration file a command's --config and --dir mean. Without
// both it is the one in the working folder.
func Find(configFlag, dirFlag string) (string, error) {
	switch {
	case configFlag != "" && dirFlag != "":
		return "", domain.E(domain.KindInvalid, "--config and --dir exclude each other")
	case configFlag != "":
		return configFlag, nil
	case dirFlag != "":
		return filepath.Join(dirFlag, FileName), nil
	}
	return FileName, nil
}

// Load reads and checks the configuration at path. A missing file is
// KindNotFound and says how to make one; a wrong field is KindInvalid and is
// named.
func Load(path string, environ []string) (Config, error) {
	c := Defaults()
	switch _, err := os.Stat(path); {
	case errors.Is(err, fs.ErrNotExist):
		return c, domain.E(domain.KindNotFound,
			"no configuration at %s: make one with `counterfoil init --dir DIR`, then name it with --dir or --config", path)
	case err != nil:
		return c, domain.E(domain.KindDenied, "the configuration cannot be read: %w", err)
	}
	k := koanf.New(".")
	if err := k.Load(file.Provider(path), yaml.Parser()); err != nil {
		return c, domain.E(domain.KindInvalid, "%s is not readable YAML: %w", path, err)
	}
	if len(k.Keys()) == 0 {
		return c, domain.E(domain.KindInvalid, "%s is empty: restore it, or make a new installation with `counterfoil init`", path)
	}
	if err := k.Load(environment(environ, k), nil); err != nil {
		return c, domain.E(domain.KindInvalid, "environment: %w", err)
	}
	if err := known(k); err != nil {
		return c, err
	}
	if err := quoted(k); err != nil {
		return c, err
	}
	if err := k.Unmarshal("", &c); err != nil {
		return c, domain.E(domain.KindInvalid, "%s: %w", path, err)
	}
	abs, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return c, fmt.Errorf("folder of %s: %w", path, err)
	}
	c.Dir = abs
	return c, c.finish()
}

// environment maps COUNTERFOIL_ variables onto keys.
func environment(environ []string, k *koanf.Koanf) *env.Env {
	return env.Provider(".", env.Opt{
		Prefix:      EnvPrefix,
		EnvironFunc: func() []string { return slices.DeleteFunc(slices.Clone(environ), notSetting) },
		TransformFunc: func(name, value string) (string, any) {
			if name == EnvKey {
				return "", nil
			}
			parts := strings.Split(strings.ToLower(strings.TrimPrefix(name, EnvPrefix)), "__")
			if len(parts) > 1 && parts[0] == "channels" {
				parts[1] = channelNamed(parts[1], k)
			}
			return strings.Join(parts, "."), value
		},
	})
}

// notSetting reports variables with our prefix that are no settings: the
// command line's own, and those of tests.
func notSetting(variable string) bool {
	name, _, _ := strings.Cut(strings.TrimPrefix(variable, EnvPrefix), "=")
	return name == "KEY" || name == "API" || name == "KILL_ROUNDS" || strings.HasPrefix(name, "TEST_")
}

// channelNamed is the channel of the file whose id reads as name with _ for -.
func channelNamed(name string, k *koanf.Koanf) string {
	for _, id := range k.MapKeys("channels") {
		if strings.ReplaceAll(id, "-", "_") == name {
			return id
		}
	}
	return strings.ReplaceAll(name, "_", "-")
}

// known refuses keys that no field reads: a misspelt setting must not be
// silently without effect.
func known(k *koanf.Koanf) error {
	top := fields(reflect.TypeFor[Config]())
	for _, key := range k.Keys() {
		parts := strings.Split(key, ".")
		if len(parts) > 2 && parts[0] == "channels" {
			if err := knownInChannel(k, key, parts[1], parts[2]); err != nil {
				return err
			}
			continue
		}
		if name := strings.Join(parts, "."); !slices.Contains(top, name) {
			return unknown(key, top)
		}
	}
	return nil
}

// fields are the keys a struct reads, nested ones dotted.
func fields(t reflect.Type) []string {
	var out []string
	for f := range t.Fields() {
		name := f.Tag.Get("koanf")
		switch {
		case name == "-":
		case f.Type.Kind() == reflect.Struct && f.Type != reflect.TypeFor[providers.Secret]():
			for _, inner := range fields(f.Type) {
				out = append(out, name+"."+inner)
			}
		default:
			out = append(out, name)
		}
	}
	return out
}
