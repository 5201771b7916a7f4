package main

import (
	"sync"

	"github.com/rogpeppe/go-internal/testscript"

	"counterfoil/eventstore/eventstoredb/esdbtest"
)

// servers has the EventStoreDB of each script.
var servers sync.Map

// server plays an EventStoreDB: server start [VERSION], server kill, server
// restart, server foreign NAMESPACE. $ESDB is how a client finds it.
func server(ts *testscript.TestScript, _ bool, args []string) {
	if args[0] == "start" {
		o := esdbtest.Options{}
		if len(args) > 1 {
			o.Version = args[1]
		}
		s, err := esdbtest.Start(o)
		ts.Check(err)
		ts.Defer(s.Close)
		servers.Store(ts, s)
		ts.Setenv("ESDB", s.ConnectionString())
		return
	}
	v, _ := servers.Load(ts)
	s, _ := v.(*esdbtest.Server)
	switch args[0] {
	case "kill":
		s.Kill(0)
	case "restart":
		ts.Check(s.Restart(0))
	case "foreign": // another program writes into a namespace
		s.Write(args[1]+".stray", "order-placed", []byte(`{}`), nil)
	default:
		ts.Fatalf("server: %s", args[0])
	}
}
