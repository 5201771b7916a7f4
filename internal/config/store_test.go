package config

import (
	"path/filepath"
	"testing"
)

// Files that belong to a server's address lie beside the configuration, like
// all others, wherever the program is started.
func TestServerAsStore(t *testing.T) {
	t.Parallel()
	path := write(t, "store: esdb+discover://cluster.example?tlsCaFile=ca%20one.pem&userCertFile=/etc/c.pem&nodePreference=leader\n"+
		"store_user_file: secrets/user\nstore_password_file: /run/password\n")
	c, err := Load(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Dir(path)
	query, err := c.withFiles("tlsCaFile=ca%20one.pem")
	if err != nil {
		t.Fatal(err)
	}
	want := "esdb+discover://cluster.example?" + query + "&userCertFile=%2Fetc%2Fc.pem&nodePreference=leader"
	if !c.Remote() || c.Store != want {
		t.Errorf("store %s, want %s", c.Store, want)
	}
	if c.StoreUserFile != filepath.Join(dir, "secrets/user") || c.StorePasswordFile != "/run/password" || c.StoreNamespace != DefaultNamespace {
		t.Errorf("%+v", c)
	}
	for _, address := range []string{"esdb://h", "esdb://a,b,c?tls=false", "kurrentdb://h:2113", "kdb+discover://h"} {
		c, err := Load(write(t, "store: "+address+"\nstore_namespace: shop\n"), nil)
		if err != nil || c.Store != address || c.StoreNamespace != "shop" {
			t.Errorf("%s: %s %s, %v", address, c.Store, c.StoreNamespace, err)
		}
	}
	c, err = Load(write(t, "listen: 127.0.0.1:1\n"), []string{"COUNTERFOIL_STORE=esdb://h", "COUNTERFOIL_STORE_NAMESPACE=shop"})
	if err != nil || c.Store != "esdb://h" || c.StoreNamespace != "shop" {
		t.Errorf("from the environment: %+v, %v", c, err)
	}
}
