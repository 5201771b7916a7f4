// Package config reads the one YAML file a Counterfoil installation has, with
// environment variables over it, and checks it whole before anything starts:
// the first wrong field is named with its value, secrets masked.
package config

import "time"

// FileName is the name of the configuration inside a folder that `counterfoil
// init` made.
const FileName = "counterfoil.yaml"

// Config is a checked configuration. Relative paths are already joined to
// Dir.
type Config struct {
	Dir        string        `koanf:"-"`     // folder of the file: stores and secrets lie below it
	Store      string        `koanf:"store"` // sqlite, or the address of an EventStoreDB, e.g. esdb://host:2113
	PublicURL  string        `koanf:"public_url"`
	Listen     string        `koanf:"listen"`
	OpsListen  string        `koanf:"ops_listen"`
	LogFormat  string        `koanf:"log_format"`
	LogLevel   string        `koanf:"log_level"`
	Retention  time.Duration `koanf:"retention"` // how long evidence is kept at least; 0: ten years, the least in a live store
	Limits     Limits        `koanf:"limits"`
	Payments   Payments      `koanf:"payments"`
	Draws      Draws         `koanf:"draws"`
	Reconciler Reconciler    `koanf:"reconciler"`
	Alerts     Alerts        `koanf:"alerts"`
	Tree       Tree          `koanf:"tree"`
	Bills      Bills         `koanf:"bills"`

	// Of a store that is a server; see Remote.
	StoreNamespace    string `koanf:"store_namespace"`     // begins the names of our streams there
	StoreUserFile     string `koanf:"store_user_file"`     // holds the user's name
	StorePasswordFile string `koanf:"store_password_file"` // holds the password

	Channels map[string]Channel `koanf:"channels"`
}

// Limits bound what strangers can make the API do (R10).
type Limits struct {
	ConnsPerAddress int           `koanf:"conns_per_address"` // open connections of one address
	TrustedProxies  []string      `koanf:"trusted_proxies"`   // CIDRs whose X-Forwarded-For is believed
	ReplyWithin     time.Duration `koanf:"reply_within"`      // a callback is answered within it
	CacheMB         int           `koanf:"cache_mb"`          // page cache of the event store
}

// Payments are the defaults of placing.
type Payments struct {
	ExpireAfter time.Duration `koanf:"expire_after"`
}

// Draws are what the application reports of its customers' spending.
type Draws struct {
	Zone string `koanf:"zone"` // IANA zone their days are cut in: they belong to no channel
}

// Reconciler shapes the daemon that asks providers.
type Reconciler struct {
	OpsListen    string        `koanf:"ops_listen"`
	SweepEvery   time.Duration `koanf:"sweep_every"`
	FirstAsk     time.Duration `koanf:"first_ask"`      // an unpaid order is first asked for this long after placing
	Pace         float64       `koanf:"pace"`           // 1 is real time; 600 plays ten minutes in a second (test stores only)
	Queries      int           `koanf:"queries"`        // questions at once
	AskPerSecond float64       `koanf:"ask_per_second"` // to one channel
	SelfCheck    time.Duration `koanf:"self_check_every"`
}

// Alerts say where trouble is told. Both may be set; both empty means only the
// log and the metrics tell.
type Alerts struct {
	URL          string        `koanf:"url"`     // POSTed JSON
	Command      []string      `koanf:"command"` // run with the JSON on standard input
	HeldAfter    time.Duration `koanf:"held_after"`
	SilenceAfter time.Duration `koanf:"silence_after"` // 0: silence is not told
}

// Defaults is the configuration of an empty file.
func Defaults() Config {
	return Config{
		Store: Embedded, Listen: "127.0.0.1:8080", OpsListen: "127.0.0.1:9080",
		LogFormat: "json", LogLevel: "info",
		Limits:   Limits{ConnsPerAddress: 64, ReplyWithin: 4 * time.Second, CacheMB: 128},
		Payments: Payments{ExpireAfter: 2 * time.Hour},
		Draws:    Draws{Zone: "Asia/Shanghai"},
		Reconciler: Reconciler{
			OpsListen: "127.0.0.1:9081", SweepEvery: time.Minute, FirstAsk: 2 * time.Minute, Pace: 1, Queries: 8,
			AskPerSecond: 10, SelfCheck: time.Hour,
		},
		Alerts: Alerts{HeldAfter: 15 * time.Minute},
		Tree:   treeDefaults(),
		Bills:  billsDefaults(),
	}
}
