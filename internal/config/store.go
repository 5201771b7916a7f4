package config

import (
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"counterfoil/domain"
)

// Embedded is the value of store for the file beside the configuration.
const Embedded = "sqlite"

// DefaultNamespace begins the names of the streams on a server when
// store_namespace is not set.
const DefaultNamespace = "counterfoil"

// serverSchemes are how the address of an EventStoreDB, or of its successor
// KurrentDB, begins; each also with +discover for a DNS name of a cluster.
var serverSchemes = []string{"esdb", "kurrentdb", "kurrent", "kdb"}

// Remote tells whether the event store is a server, not a file in Dir.
func (c *Config) Remote() bool { return c.Store != Embedded }

// WithStore is the configuration with its events on a server instead.
func (c Config) WithStore(address, namespace, userFile, passwordFile string) (Config, error) {
	c.Store, c.StoreNamespace, c.StoreUserFile, c.StorePasswordFile = address, namespace, userFile, passwordFile
	if !c.Remote() {
		return c, wrong("store", c.Store, "is no server; name one, e.g. esdb://host:2113")
	}
	return c, c.checkStore()
}

// checkStore looks at how the store is named; whether the address is good in
// every part is for the store's adapter to say. An address is never printed
// while there may be a password in it.
func (c *Config) checkStore() error {
	scheme, rest, ok := strings.Cut(c.Store, "://")
	switch {
	case c.Store == Embedded:
		return c.onlyRemote()
	case strings.Contains(c.Store, "@"):
		return domain.EField(domain.KindInvalid, "store",
			"credentials do not belong in the address: put them in files and name those with store_user_file and store_password_file")
	case !ok || !slices.Contains(serverSchemes, strings.TrimSuffix(scheme, "+discover")):
		return wrong("store", c.Store, "must be sqlite, or the address of an EventStoreDB, e.g. esdb://host:2113")
	}
	if c.StoreNamespace == "" {
		c.StoreNamespace = DefaultNamespace
	}
	c.StoreUserFile, c.StorePasswordFile = c.beside(c.StoreUserFile), c.beside(c.StorePasswordFile)
	hosts, query, _ := strings.Cut(rest, "?")
	settings, err := c.withFiles(query)
	if err != nil {
		return wrong("store", c.Store, "its settings behind ? are not readable: "+err.Error())
	}
	if c.Store = scheme + "://" + hosts; settings != "" {
		c.Store += "?" + settings
	}
	return nil
}

// onlyRemote refuses settings that would be silently without effect.
func (c *Config) onlyRemote() error {
	for _, s := range [][2]string{
		{"store_namespace", c.StoreNamespace}, {"store_user_file", c.StoreUserFile}, {"store_password_file", c.StorePasswordFile},
	} {
		if s[1] != "" {
			return wrong(s[0], s[1], "has no effect with store: sqlite; leave it out")
		}
	}
	return nil
}

// withFiles is the query of an address with the files in it below Dir.
func (c *Config) withFiles(query string) (string, error) {
	parts := strings.Split(query, "&")
	for i, part := range parts {
		key, value, _ := strings.Cut(part, "=")
		switch strings.ToLower(key) {
		case "tlscafile", "usercertfile", "userkeyfile":
			path, err := url.QueryUnescape(value)
			if err != nil {
				return "", err
			}
			parts[i] = key + "=" + url.QueryEscape(c.beside(path))
		}
	}
	return strings.Join(parts, "&"), nil
}

// beside is a path as it is meant in the file: relative ones lie below its
// folder.
func (c *Config) beside(path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(c.Dir, path)
}
